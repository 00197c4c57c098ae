"""The sampler and the pruner of a study, made anew from its specification: the database keeps neither."""

import math

from optuna.pruners import BasePruner, HyperbandPruner, MedianPruner, NopPruner, PatientPruner
from optuna.samplers import BaseSampler, GPSampler, RandomSampler, TPESampler

from nlb_search.models.chain import parse_chain
from nlb_search.search.cma_es import SteadyCmaEsSampler
from nlb_search.search.errors import UsageError
from nlb_search.search.grid import GridSampler, grid_of
from nlb_search.search.space import Choice, Real, Whole
from nlb_search.search.spec import SearchSpec

REDUCTION = 3
"""Hyperband keeps about one trial in so many at each rung."""


def make_sampler(spec: SearchSpec, number: int) -> BaseSampler:
    """The sampler for one trial. Its seed comes from the trial's number, so no two workers ever draw alike, and a
    study that is resumed goes on as if it had never stopped. What a sampler learned it reads from the study's trials.

    Where a chain has settings that others lack, tpe, gp and cmaes draw those apart: that is meant, and not warned of.
    """
    seed = spec.trial_seed(number)
    match spec.sampler:
        case "tpe":
            return TPESampler(seed=seed)
        case "random":
            return RandomSampler(seed=seed)
        case "grid":
            return GridSampler(grid_of(spec.space, spec.architectures), spec.seed)
        case "gp":
            return GPSampler(seed=seed, warn_independent_sampling=False)
        case "cmaes":
            # Hyperband lets too few trials complete for a generation; the others' last score must do.
            return SteadyCmaEsSampler(_steady_numbers(spec), seed, consider_pruned_trials=spec.pruner == "hyperband")


def check_sampler(spec: SearchSpec) -> None:
    """Raises UsageError, with what to do, for a sampler that cannot search the study's space."""
    match spec.sampler:
        case "grid":
            _check_grid(spec)
        case "cmaes" if not _steady_numbers(spec):
            raise UsageError(
                f"--sampler cmaes moves numbers in a range, and the space {spec.space_name} has no range that every "
                "chain has: choose --space wide, a file with such a range, or another sampler"
            )


def _check_grid(spec: SearchSpec) -> None:
    ranges = [f"{name} ({range_})" for name, range_ in spec.space.items() if not isinstance(range_, Choice)]
    if ranges:
        raise UsageError(
            f"--sampler grid walks choices, and in the space {spec.space_name} these are ranges: {'; '.join(ranges)}: "
            "choose --space paper, a file in which each is a list of values, or another sampler"
        )
    size = grid_of(spec.space, spec.architectures).size
    if spec.trials > size:
        raise UsageError(
            f"--trials {spec.trials} are more than the {size} combinations of the grid: "
            "ask for as many or fewer, or choose another sampler"
        )


def _steady_numbers(spec: SearchSpec) -> frozenset[str]:
    """The settings with a range of numbers that every trial has, whatever its chain and its other settings."""
    numbers = frozenset(name for name, range_ in spec.space.items() if isinstance(range_, Real | Whole))
    return numbers.intersection(*(parse_chain(text).hyperparameters for text in spec.architectures))


def make_pruner(spec: SearchSpec) -> BasePruner:
    """The pruner of the study. Resources are epochs, given as numbers: Optuna's 'auto' differs between workers."""
    first_rung = max(1, spec.epochs // REDUCTION**2)
    match spec.pruner:
        case "hyperband":
            return HyperbandPruner(min_resource=first_rung, max_resource=spec.epochs, reduction_factor=REDUCTION)
        case "median":
            return MedianPruner(n_startup_trials=5, n_warmup_steps=first_rung)
        case "patient":
            # A tenth of the looks without a gain is what noise on val explains; more is a curve that has ended.
            looks = math.ceil(spec.epochs / spec.plan.evaluate_every)
            return PatientPruner(MedianPruner(n_startup_trials=5), patience=max(1, looks // 10))
        case "none":
            return NopPruner()
