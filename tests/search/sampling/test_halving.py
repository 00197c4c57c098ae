"""Successive halving on the best score so far."""

import optuna
import pytest
from optuna.trial import TrialState

from nlb_search.search.sampling.halving import HalvingPruner
from nlb_search.search.sampling.pruners import make_pruner
from tests.helpers.specifications import spec_of

RUNGS = frozenset({3, 9})


@pytest.fixture
def study() -> optuna.Study:
    return optuna.create_study(direction="maximize", pruner=HalvingPruner(RUNGS, reduction=3))


def _run(study: optuna.Study, scores: list[float]) -> int:
    """Report scores from epoch 1 on until the trial is pruned or they end; returns the last epoch."""
    trial = study.ask()
    for epoch, score in enumerate(scores, start=1):
        trial.report(score, epoch)
        if trial.should_prune():
            study.tell(trial, state=TrialState.PRUNED)
            return epoch
    study.tell(trial, max(scores))
    return len(scores)


def test_the_first_trial_is_never_pruned(study: optuna.Study) -> None:
    assert _run(study, [0.1] * 12) == 12


def test_the_best_third_continues_and_others_stop_at_a_rung(study: optuna.Study) -> None:
    _run(study, [0.5] * 12)
    assert [_run(study, [score] * 12) for score in (0.1, 0.2, 0.4, 0.3, 0.6)] == [3, 3, 9, 3, 12]


def test_a_trial_whose_best_score_came_before_the_rung_continues(study: optuna.Study) -> None:
    _run(study, [0.1, 0.2, 0.3, 0.4] + [0.4] * 8)
    # At the rung it scores lower than the first trial, but its best network is better.
    assert _run(study, [0.5, 0.2, 0.1] + [0.1] * 9) == 12


def test_a_complete_trial_that_stopped_before_the_rung_counts(study: optuna.Study) -> None:
    assert _run(study, [0.9, 0.8]) == 2
    assert _run(study, [0.5] * 12) == 3


def test_epochs_between_rungs_do_not_prune(study: optuna.Study) -> None:
    for score in (0.9, 0.8, 0.7):
        _run(study, [score] * 12)
    trial = study.ask()
    for epoch in (1, 2, 4, 8):
        trial.report(0.0, epoch)
        assert not trial.should_prune()


@pytest.mark.parametrize(
    ("epochs", "evaluate_every", "rungs"),
    [(62, 2, {6, 12, 24}), (300, 5, {35, 70, 135}), (40, 1, {4, 8, 16}), (6, 1, {3}), (3, 1, set())],
)
def test_trials_are_stopped_at_a_ninth_of_the_epochs_and_twice_as_many_until_the_half(
    epochs: int, evaluate_every: int, rungs: set[int]
) -> None:
    settings = spec_of(pruner="halving", epochs=epochs, evaluate_every=evaluate_every).sampling
    study = optuna.create_study(direction="maximize", pruner=make_pruner(settings))
    for _ in range(3):
        _run(study, [1.0] * epochs)
    stops = set()
    for epoch in range(evaluate_every, epochs + 1, evaluate_every):
        trial = study.ask()
        trial.report(0.0, epoch)
        if trial.should_prune():
            stops.add(epoch)
        study.tell(trial, state=TrialState.FAIL)
    assert stops == rungs
