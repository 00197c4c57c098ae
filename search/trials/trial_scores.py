"""Scores of trials: co-bps on val of their best network. They are used to compare and show trials, whatever the
objectives of the study are.
"""

import optuna
from optuna.trial import FrozenTrial, TrialState

SCORE_KEY = "co_bps"
"""User attribute of a complete trial with its score, in studies with other objectives than co-bps alone."""


def complete_trials(study: optuna.Study) -> list[FrozenTrial]:
    """The study's complete trials, best first; trials with equal scores are in order of their numbers."""
    trials = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    return sorted(trials, key=lambda trial: -score_of(trial))


def score_of(trial: FrozenTrial) -> float:
    """The score of a complete trial."""
    if SCORE_KEY in trial.user_attrs:
        return float(trial.user_attrs[SCORE_KEY])
    assert trial.value is not None  # a complete trial has one
    return trial.value


def final_score(trial: FrozenTrial) -> float | None:
    """The score with which a trial ended: for a pruned one, the last. None without one, and for other states."""
    if trial.state == TrialState.COMPLETE:
        return score_of(trial)
    last = trial.last_step
    return trial.intermediate_values[last] if trial.state == TrialState.PRUNED and last is not None else None


def network_score(trial: FrozenTrial) -> float:
    """co-bps on val of the best network of a complete or pruned trial, at its best evaluation."""
    return score_of(trial) if trial.state == TrialState.COMPLETE else max(trial.intermediate_values.values())
