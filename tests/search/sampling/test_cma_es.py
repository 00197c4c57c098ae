import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.pruners import BasePruner, HyperbandPruner, NopPruner
from optuna.samplers import BaseSampler, CmaEsSampler
from optuna.trial import TrialState, create_trial

from nlb_search.search.sampling.cma_es import StatelessCmaEsSampler

NAMES = frozenset({"x", "y", "n"})
MakeSampler = Callable[[int, bool], BaseSampler]


def _ours(seed: int, pruned: bool) -> BaseSampler:
    return StatelessCmaEsSampler(NAMES, seed, pruned)


def _theirs(seed: int, pruned: bool) -> BaseSampler:
    return CmaEsSampler(seed=seed, warn_independent_sampling=False, consider_pruned_trials=pruned)


def _study(pruner: BasePruner) -> optuna.Study:
    return optuna.create_study(study_name="study", direction="maximize", pruner=pruner)


def _go_on(study: optuna.Study, make: MakeSampler, n_trials: int) -> None:
    """Sequential trials, each with a new sampler and an independent parameter; some fail."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    pruned = isinstance(study.pruner, HyperbandPruner)
    for _ in range(n_trials):
        study.sampler = make(len(study.trials), pruned)
        trial = study.ask()
        x, y = trial.suggest_float("x", 1e-4, 1, log=True), trial.suggest_float("y", -2, 2)
        n, kind = trial.suggest_int("n", 4, 40, log=True), trial.suggest_categorical("kind", ["a", "b"])
        score = -((x - 0.1) ** 2) - (y - 0.3) ** 2 - abs(n - 9) / 40 + (kind == "a")
        state, value = TrialState.COMPLETE, score
        for step in range(1, 10):
            trial.report(score - 1 / step, step)
            if trial.should_prune():
                state, value = TrialState.PRUNED, None
                break
        if trial.number % 7 == 3:
            state, value = TrialState.FAIL, None
        study.tell(trial, value, state=state)


def _settings(study: optuna.Study) -> list[dict[str, Any]]:
    return [trial.params for trial in study.trials]


def _generations(study: optuna.Study) -> int:
    return max(trial.system_attrs.get("cma:generation", 0) for trial in study.trials)


@pytest.mark.parametrize("pruner", [NopPruner(), HyperbandPruner(1, 9, 3)])
def test_sequential_trials_match_optuna_sampler(pruner: BasePruner) -> None:
    ours, theirs = _study(pruner), _study(pruner)
    _go_on(ours, _ours, 100)
    _go_on(theirs, _theirs, 100)
    assert _generations(ours) == _generations(theirs) >= 3
    assert _settings(ours) == _settings(theirs)
    assert any("cma:optimizer:0" in trial.system_attrs for trial in theirs.trials), "what is not kept here"
    assert not any(key.startswith("cma:optimizer") for trial in ours.trials for key in trial.system_attrs)


class _Program:
    """Creates a file when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self._mark = mark

    def __reduce__(self) -> tuple[Callable[[Path], None], tuple[Path]]:
        return Path.touch, (self._mark,)


def test_malicious_optimizer_state_is_not_executed(tmp_path: Path) -> None:
    mark = tmp_path / "was-run"
    study = _study(NopPruner())
    _go_on(study, _ours, 20)
    best = study.best_trial
    attributes = best.system_attrs | {"cma:optimizer:0": pickle.dumps(_Program(mark)).hex()}
    study.add_trial(
        create_trial(value=0, params=best.params, distributions=best.distributions, system_attrs=attributes)
    )
    _go_on(study, _ours, 20)
    assert not mark.exists()
    _go_on(study, _theirs, 1)
    assert mark.exists(), "Optuna's own sampler runs it, so this test would see it"
