"""Grid search: every combination of settings once, in a random order determined by the study's seed."""

# ruff: noqa: ARG002 (the signatures are Optuna's)
import math
import random
from dataclasses import dataclass
from typing import Any

import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler
from optuna.trial import FrozenTrial, TrialState

from nlb_search.models.architecture.architectures import parse_architecture
from nlb_search.search.sampling.spaces.range_types import ARCHITECTURE, Choice, Space

POSITION_KEY = "grid:place"
"""System attribute of a trial that repeats the combination of a failed trial: its position in the random order."""

Value = bool | int | float | str


@dataclass(frozen=True)
class Grid:
    """All combinations of settings of the study's chains, numbered from 0. Combinations are computed on demand."""

    choices: tuple[dict[str, tuple[Value, ...]], ...]
    """For each chain, the values of its architecture and of each of its settings."""

    @property
    def size(self) -> int:
        """Number of combinations."""
        return sum(map(_count, self.choices))

    def combination(self, number: int) -> dict[str, Value]:
        """The trial parameters of combination ``number``. Raises IndexError unless 0 <= ``number`` < ``size``."""
        for of_chain in self.choices:
            if number < _count(of_chain):
                settings = {}
                for name, values in of_chain.items():
                    number, digit = divmod(number, len(values))
                    settings[name] = values[digit]
                return settings
            number -= _count(of_chain)
        raise IndexError("the grid has no combination with this number")


def grid_of(space: Space, architectures: tuple[str, ...]) -> Grid:
    """The grid over a study's chains. Every range of ``space`` must be a ``Choice``."""
    choices = []
    for text in dict.fromkeys(architectures):
        uses = parse_architecture(text).uses
        own = {name: range_.values for name, range_ in space.items() if uses(name) and isinstance(range_, Choice)}
        choices.append({ARCHITECTURE: (text,), **own})
    return Grid(tuple(choices))


def _count(choices: dict[str, tuple[Value, ...]]) -> int:
    return math.prod(map(len, choices.values()))


def shuffled(position: int, size: int, seed: int) -> int:
    """The item at ``position`` of a random permutation of ``range(size)``.

    Shuffles only as far as ``position``, so a large ``size`` costs nothing.
    """
    draw = random.Random(seed)
    swapped: dict[int, int] = {}
    for index in range(position + 1):
        other = draw.randrange(index, size)
        chosen = swapped.get(other, other)
        swapped[other] = swapped.get(index, index)
    return chosen


class GridSampler(BaseSampler):
    """Assigns the n-th combination of a random order to trial number n, independently of workers and restarts.

    Trial numbers beyond the end of the grid occur when trials have failed. Such a trial takes the first combination
    that no other running or finished trial has. It is chosen when the trial starts, while its worker holds the lock.
    """

    def __init__(self, grid: Grid, seed: int) -> None:
        self._grid = grid
        self._seed = seed

    def before_trial(self, study: optuna.Study, trial: FrozenTrial) -> None:
        if trial.number < self._grid.size or POSITION_KEY in trial.system_attrs:
            return
        # Read from the storage: with Hyperband, the study passed to a sampler contains only one bracket.
        others = study._storage.get_all_trials(study._study_id, deepcopy=False)
        taken = {
            self._position(other) for other in others if other.state != TrialState.FAIL and other.number != trial.number
        }
        free = next(position for position in range(self._grid.size) if position not in taken)
        study._storage.set_trial_system_attr(trial._trial_id, POSITION_KEY, free)

    def infer_relative_search_space(self, study: optuna.Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        return {}

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        return {}

    def sample_independent(
        self, study: optuna.Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        number = shuffled(self._position(trial), self._grid.size, self._seed)
        return self._grid.combination(number)[param_name]

    def _position(self, trial: FrozenTrial) -> int:
        position: int = trial.system_attrs.get(POSITION_KEY, trial.number)
        return position
