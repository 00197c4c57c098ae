"""The sampler of a study, built from its settings: Optuna's database stores none."""

from optuna.samplers import BaseSampler, GPSampler, RandomSampler, TPESampler

from nlb_search.models.architecture.chain import parse_chain
from nlb_search.search.errors import UsageError
from nlb_search.search.sampling.grid import GridSampler, grid_of
from nlb_search.search.sampling.ranges import Choice, Real, Whole
from nlb_search.search.sampling.settings import SamplingSettings


def make_sampler(settings: SamplingSettings, number: int) -> BaseSampler:
    """The sampler for one trial. Its seed comes from the trial's number, so no two workers ever draw alike, and a
    study that is resumed continues as if it had never stopped. What a sampler learned it reads from the study's trials.

    Where a chain has settings that others lack, tpe, gp and cmaes draw those apart: that is meant, and not warned of.
    """
    seed = settings.trial_seed(number)
    match settings.sampler:
        case "tpe":
            return TPESampler(seed=seed)
        case "random":
            return RandomSampler(seed=seed)
        case "grid":
            return GridSampler(grid_of(settings.space, settings.architectures), settings.seed)
        case "gp":
            return GPSampler(seed=seed, warn_independent_sampling=False)
        case "cmaes":
            from nlb_search.search.sampling.cma_es import StatelessCmaEsSampler  # here, for it takes a second

            # Hyperband lets too few trials complete for a generation; the others' last score must do.
            return StatelessCmaEsSampler(
                _shared_numeric_names(settings), seed, consider_pruned_trials=settings.pruner == "hyperband"
            )


def check_sampler(settings: SamplingSettings) -> None:
    """Raises UsageError, with what to do, for a sampler that cannot search the study's space."""
    match settings.sampler:
        case "grid":
            _check_grid(settings)
        case "cmaes" if not _shared_numeric_names(settings):
            raise UsageError(
                f"--sampler cmaes moves numbers in a range, and the space {settings.space_name} has no range that "
                "every chain has: choose --space wide, a file with such a range, or another sampler"
            )


def _check_grid(settings: SamplingSettings) -> None:
    ranges = [f"{name} ({range_})" for name, range_ in settings.space.items() if not isinstance(range_, Choice)]
    if ranges:
        raise UsageError(
            f"--sampler grid walks choices, and in the space {settings.space_name} these are ranges: "
            f"{'; '.join(ranges)}: choose --space paper, a file in which each is a list of values, or another sampler"
        )
    size = grid_of(settings.space, settings.architectures).size
    if settings.trials > size:
        raise UsageError(
            f"--trials {settings.trials} are more than the {size} combinations of the grid: "
            "ask for as many or fewer, or choose another sampler"
        )


def _shared_numeric_names(settings: SamplingSettings) -> frozenset[str]:
    """The settings with a range of numbers that every trial has, whatever its chain and its other settings."""
    numbers = frozenset(name for name, range_ in settings.space.items() if isinstance(range_, Real | Whole))
    return numbers.intersection(*(parse_chain(text).hyperparameters for text in settings.architectures))
