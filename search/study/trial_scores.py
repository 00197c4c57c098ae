"""Scores of trials: co-bps on val of their best network."""

import optuna
from optuna.trial import FrozenTrial, TrialState


def complete_trials(study: optuna.Study) -> list[FrozenTrial]:
    """The study's complete trials, best first; trials with equal scores are in order of their numbers."""
    trials = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    return sorted(trials, key=lambda trial: -score_of(trial))


def score_of(trial: FrozenTrial) -> float:
    """The score of a complete trial."""
    assert trial.value is not None  # a complete trial has one
    return trial.value


def network_score(trial: FrozenTrial) -> float:
    """co-bps on val of the best network of a complete or pruned trial, at its best evaluation."""
    return score_of(trial) if trial.state == TrialState.COMPLETE else max(trial.intermediate_values.values())
