"""Builds the sampler of a study from its settings, because Optuna does not store samplers in the database."""

import random

from optuna.samplers import BaseSampler, GPSampler, PartialFixedSampler, RandomSampler, TPESampler

from nlb_search.models.architecture.architectures import parse_architecture
from nlb_search.search.errors import UsageError
from nlb_search.search.objectives import CO_BPS_ALONE
from nlb_search.search.sampling.grid import GridSampler, grid_of
from nlb_search.search.sampling.sampling_settings import SamplingSettings
from nlb_search.search.sampling.spaces.range_types import ARCHITECTURE, Choice, FloatRange, IntRange
from nlb_search.search.sampling.spaces.trial_parameters import start_parameters

START_TRIALS = 10
"""Number of trials that are drawn around the default settings, before tpe learns from results. Optuna's default."""


def make_sampler(settings: SamplingSettings, number: int) -> BaseSampler:
    """Build the sampler for trial ``number``.

    The seed depends on the trial's number, so that workers never sample alike and a resumed study continues as if it
    had never stopped. Samplers learn from the study's trials alone and have no other state.

    Settings that only some chains have are sampled independently by tpe, gp and cmaes. This is intended, so Optuna's
    warnings about it are off.
    """
    seed = settings.trial_seed(number)
    match settings.sampler:
        case "tpe":
            sampler = TPESampler(n_startup_trials=START_TRIALS, seed=seed)
            return sampler if number >= START_TRIALS else _around_defaults(sampler, settings, seed)
        case "random":
            return RandomSampler(seed=seed)
        case "grid":
            return GridSampler(grid_of(settings.space, settings.architectures), settings.seed)
        case "gp":
            return GPSampler(seed=seed, warn_independent_sampling=False)
        case "cmaes":
            from nlb_search.search.sampling.cma_es import StatelessCmaEsSampler  # imported here: it takes a second

            # With Hyperband too few trials complete for a generation, so pruned trials count with their last score.
            return StatelessCmaEsSampler(
                _shared_numeric_names(settings), seed, consider_pruned_trials=settings.pruner == "hyperband"
            )


def _around_defaults(sampler: BaseSampler, settings: SamplingSettings, seed: int) -> BaseSampler:
    """Keep about half of the default settings, chosen at random; ``sampler`` suggests the others.

    Most points of a wide space score far below the default settings, but most settings matter little.
    """
    defaults = start_parameters(settings.space, settings.architectures)
    defaults.pop(ARCHITECTURE, None)
    draw = random.Random(seed)
    kept = {name: value for name, value in defaults.items() if draw.random() < 1 / 2}
    return PartialFixedSampler(kept, sampler)


def check_sampler(settings: SamplingSettings) -> None:
    """Raise UsageError if the sampler or the pruner cannot search the study's space or its objectives."""
    _check_pruner(settings)
    match settings.sampler:
        case "grid":
            _check_grid(settings)
        case "cmaes" if len(settings.objectives) > 1:
            raise UsageError(
                f"--sampler cmaes optimizes one objective, not {' and '.join(settings.objectives)}: "
                "choose --sampler tpe, random, grid or gp"
            )
        case "cmaes" if not _shared_numeric_names(settings):
            raise UsageError(
                f"--sampler cmaes needs a numeric range that every chain has; space {settings.space_name} has none: "
                "choose --space wide, a file with such a range, or another sampler"
            )


def _check_pruner(settings: SamplingSettings) -> None:
    """Pruners compare co-bps, by which a trial that is good in another objective may look bad."""
    if settings.pruner != "none" and settings.objectives != CO_BPS_ALONE:
        raise UsageError(
            f"--pruner {settings.pruner} compares trials by co-bps alone, and the study optimizes "
            f"{' and '.join(settings.objectives)}: pass --pruner none, its default with --objective"
        )


def _check_grid(settings: SamplingSettings) -> None:
    ranges = [f"{name} ({range_})" for name, range_ in settings.space.items() if not isinstance(range_, Choice)]
    if ranges:
        raise UsageError(
            f"--sampler grid needs lists of values, and space {settings.space_name} has ranges: "
            f"{'; '.join(ranges)}: choose --space paper, a file with lists of values only, or another sampler"
        )
    size = grid_of(settings.space, settings.architectures).size
    if settings.trials > size:
        raise UsageError(
            f"--trials {settings.trials} is more than the {size} combinations of the grid: "
            f"choose at most {size}, or another sampler"
        )


def _shared_numeric_names(settings: SamplingSettings) -> frozenset[str]:
    """Names of the settings with a numeric range that all chains of the study have."""
    architectures = [parse_architecture(text) for text in settings.architectures]
    return frozenset(
        name
        for name, range_ in settings.space.items()
        if isinstance(range_, FloatRange | IntRange) and all(architecture.uses(name) for architecture in architectures)
    )
