"""The Pareto front, compared with its definition and with Optuna's."""

import random

import optuna
import pytest
from optuna.trial import FrozenTrial, TrialState, create_trial

from nlb_search.search.objectives import ObjectiveName, is_minimized
from nlb_search.search.study.pareto_front import merit, pareto_front


def _trials(objectives: tuple[ObjectiveName, ...], seed: int) -> tuple[optuna.Study, list[FrozenTrial]]:
    """60 complete trials with few different values, so that some are equal, and two that are not complete."""
    draw = random.Random(seed)
    directions = ["minimize" if is_minimized(name) else "maximize" for name in objectives]
    study = optuna.create_study(directions=directions)
    for _ in range(60):
        study.add_trial(create_trial(values=[draw.randrange(6) / 2 for _ in objectives]))
    study.add_trial(create_trial(state=TrialState.FAIL))
    study.add_trial(create_trial(state=TrialState.RUNNING))
    return study, study.get_trials()


def _dominates(one: FrozenTrial, other: FrozenTrial, objectives: tuple[ObjectiveName, ...]) -> bool:
    gains = [
        its - mine if is_minimized(name) else mine - its
        for name, mine, its in zip(objectives, one.values, other.values, strict=True)
    ]
    return min(gains) >= 0 and max(gains) > 0


@pytest.mark.parametrize(
    "objectives",
    [
        ("vel-r2",),
        ("co-bps", "fp-bps"),
        ("co-bps", "n-parameters"),
        ("co-bps", "psth-r2", "n-parameters"),
        ("fp-bps", "n-parameters", "co-bps", "tp-corr"),
    ],
)
def test_front_has_every_trial_that_no_other_dominates(objectives: tuple[ObjectiveName, ...]) -> None:
    for seed in range(5):
        study, trials = _trials(objectives, seed)
        complete = [trial for trial in trials if trial.state == TrialState.COMPLETE]
        expected = {
            trial.number for trial in complete if not any(_dominates(other, trial, objectives) for other in complete)
        }
        front = pareto_front(trials, objectives)
        assert {trial.number for trial in front} == expected
        if len(objectives) > 1:
            assert {trial.number for trial in study.best_trials} == expected
        first = [merit(trial, objectives)[0] for trial in front]
        assert first == sorted(first, reverse=True)
        for objective in objectives:
            assert max(complete, key=lambda trial: merit(trial, objectives, objective)).number in expected


def test_study_without_complete_trials_has_no_front() -> None:
    assert pareto_front([create_trial(state=TrialState.FAIL)], ("co-bps", "fp-bps")) == []
