import logging
import math
import warnings
from collections import Counter
from collections.abc import Callable
from statistics import mean
from typing import Any, get_args

import optuna
import pytest
from optuna.trial import TrialState

from nlb_search.models.architecture.architectures import architectures_named
from nlb_search.models.architecture.chain import parse_chain
from nlb_search.search.errors import UsageError
from nlb_search.search.sampling.pruners import make_pruner
from nlb_search.search.sampling.samplers import START_TRIALS, check_sampler, make_sampler
from nlb_search.search.sampling.sampling_settings import PrunerName, SamplerName
from nlb_search.search.sampling.spaces.range_types import SOME
from nlb_search.search.sampling.spaces.trial_parameters import sample, start_parameters
from nlb_search.search.study.specification import SearchSpec
from tests.helpers.specifications import RNNF, spec_of, written

CHAINS = ("FF -> exp", RNNF)
PLAIN = written("l2_weight = 0\nhidden = 40\nnum_layers = 2\nbidirectional = true\ninput_size = 'DT'\ndropout = 0.4")
"""Two numbers and a choice: lr, mask_ratio and mask_variant."""


def _score(values: dict[str, Any]) -> float:
    """A smooth objective with a single maximum at lr 0.004 and mask_ratio 0.2."""
    return float(-abs(math.log(values["lr"] / 0.004)) - 5 * abs(values["mask_ratio"] - 0.2))


def _drive(
    spec: SearchSpec,
    n_trials: int,
    first: tuple[dict[str, Any], ...] = (),
    score_of: Callable[[dict[str, Any]], float] = _score,
) -> optuna.Study:
    """Sequential trials, each with a new sampler as in the worker; ``first`` are enqueued."""
    study = optuna.create_study(study_name="study", direction="maximize", pruner=make_pruner(spec.sampling))
    for parameters in first:
        study.enqueue_trial(parameters)
    for _ in range(n_trials):
        number = study.ask().number
        study.sampler = make_sampler(spec.sampling, number)
        trial = optuna.Trial(study, number)
        score = score_of(sample(trial, spec.space, spec.architectures))
        state = TrialState.COMPLETE
        for epoch in range(spec.evaluate_every, spec.epochs + 1, spec.evaluate_every):
            trial.report(score - 1 / epoch, epoch)
            if trial.should_prune():
                state = TrialState.PRUNED
                break
        study.tell(trial, score if state == TrialState.COMPLETE else None, state=state)
    return study


@pytest.fixture(autouse=True)
def _quiet() -> None:
    optuna.logging.set_verbosity(optuna.logging.WARNING)


@pytest.mark.parametrize("space", ["paper", "wide"])
@pytest.mark.parametrize("pruner", get_args(PrunerName))
@pytest.mark.parametrize("sampler", get_args(SamplerName))
def test_every_sampler_and_pruner_runs_or_is_rejected_at_launch(
    sampler: SamplerName, pruner: PrunerName, space: str, caplog: pytest.LogCaptureFixture
) -> None:
    rejected = (sampler, space) in {("grid", "wide"), ("cmaes", "paper")}
    for architectures in (RNNF,), CHAINS:
        spec = spec_of(space, architectures, sampler=sampler, pruner=pruner)
        if rejected:
            with pytest.raises(UsageError, match=f"--sampler {sampler} .* space {space} .*: choose"):
                check_sampler(spec.sampling)
            continue
        check_sampler(spec.sampling)
        with warnings.catch_warnings(), caplog.at_level(logging.WARNING, logger="optuna"):
            warnings.simplefilter("error", FutureWarning)
            optuna.logging.enable_propagation()
            study = _drive(spec, 12)
            optuna.logging.disable_propagation()
        assert "independent" not in caplog.text.lower()
        for trial in study.trials:
            assert trial.state in (TrialState.COMPLETE, TrialState.PRUNED)
            used = parse_chain(trial.params.get("architecture", RNNF)).hyperparameters & set(spec.space)
            for name in used & set(trial.params):
                if not (name == "l2_weight" and space == "wide"):
                    assert spec.space[name].parameters(name, trial.params[name]) is not None
            assert used <= {name.removesuffix("_use") for name in trial.params}


@pytest.mark.parametrize("sampler", get_args(SamplerName))
def test_every_sampler_optimizes_two_objectives_or_is_rejected_at_launch(sampler: SamplerName) -> None:
    space = "paper" if sampler == "grid" else "wide"
    spec = spec_of(space, CHAINS, sampler=sampler, objectives=("co-bps", "n-parameters"))
    if sampler == "cmaes":
        with pytest.raises(UsageError, match="--sampler cmaes optimizes one objective, not co-bps and n-parameters"):
            check_sampler(spec.sampling)
        return
    check_sampler(spec.sampling)
    study = optuna.create_study(directions=["maximize", "minimize"])
    for number in range(START_TRIALS + 3):
        study.ask()
        study.sampler = make_sampler(spec.sampling, number)
        values = sample(optuna.Trial(study, number), spec.space, spec.architectures)
        study.tell(number, (_score(values), values.get("hidden", 0)))
    assert len({str(trial.params) for trial in study.trials}) == len(study.trials)


@pytest.mark.parametrize(("sampler", "n_trials"), [("tpe", 40), ("cmaes", 60), ("gp", 14)])
def test_adaptive_samplers_outperform_random(sampler: SamplerName, n_trials: int) -> None:
    """The mean best value of three seeds is better than that of random sampling with as many trials."""
    best = {
        name: mean(_drive(spec_of(PLAIN, sampler=name, seed=seed), n_trials).best_value for seed in range(3))
        for name in ("random", sampler)
    }
    assert best[sampler] > best["random"]


def test_architectures_that_do_better_have_more_trials() -> None:
    architectures = tuple(map(str, architectures_named(["auto"])))
    lower = dict(zip(architectures, (1, 0, 2), strict=True))
    counts: Counter[str] = Counter()
    for seed in range(3):
        spec = spec_of(PLAIN, architectures, seed=seed, pruner="none")
        first = tuple({"architecture": architecture} for architecture in architectures)
        study = _drive(spec, 40, first, lambda values: _score(values) - lower[values["architecture"]])
        counts.update(trial.params["architecture"] for trial in study.trials)
    best, second, worst = (counts[name] for name in sorted(architectures, key=lower.__getitem__))
    assert best > 2 * second
    assert best > 4 * worst


def test_cmaes_generations_with_missing_hyperparameters() -> None:
    first = ({"architecture": RNNF, "l2_weight_use": SOME},) * 12
    study = _drive(spec_of("wide", CHAINS, sampler="cmaes"), 60, first)
    assert any("hidden" not in trial.params for trial in study.trials)
    generations = [trial.system_attrs["cma:generation"] for trial in study.trials if trial.number > 0]
    assert generations == sorted(generations)
    assert generations[-1] >= 5


def test_samplers_depend_on_the_seed() -> None:
    for sampler in ("tpe", "random", "gp", "cmaes"):
        runs = [_drive(spec_of(sampler=sampler, seed=seed), 13).trials for seed in (1, 1, 2)]
        first, again, other = ([trial.params for trial in run] for run in runs)
        assert first == again
        assert first != other


def test_first_trials_of_tpe_keep_half_of_the_default_settings() -> None:
    spec = spec_of(sampler="tpe", pruner="none")
    study = _drive(spec, 2 * START_TRIALS)
    defaults = start_parameters(spec.space, spec.architectures)
    numeric = [name for name in ("lr", "dropout", "mask_ratio") if name in defaults]
    kept = [{name for name in numeric if trial.params[name] == defaults[name]} for trial in study.get_trials()]
    early, late = kept[:START_TRIALS], kept[START_TRIALS:]
    share = mean(len(names) for names in early) / len(numeric)
    assert 0.25 <= share <= 0.75
    assert len({frozenset(names) for names in early}) >= 4, "not the same settings in every trial"
    assert not any(late)
