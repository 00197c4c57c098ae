"""The settings from which a study's sampler and pruner are built."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from nlb_search.search.objectives import CO_BPS_ALONE, ObjectiveName

if TYPE_CHECKING:
    from nlb_search.search.sampling.spaces.range_types import Space

SamplerName = Literal["tpe", "random", "grid", "gp", "cmaes"]
PrunerName = Literal["halving", "hyperband", "median", "patient", "none"]


@dataclass(frozen=True, kw_only=True)
class SamplingSettings:
    """Settings of a study's sampler and pruner.

    ``space_name`` is the name of the space in error messages, ``trials`` the number of trials to finish, ``epochs`` the
    maximum number of epochs per trial, and ``evaluate_every`` the number of epochs between evaluations.
    """

    sampler: SamplerName
    pruner: PrunerName
    space_name: str
    space: "Space"
    architectures: tuple[str, ...]
    trials: int
    epochs: int
    evaluate_every: int
    seed: int
    objectives: tuple[ObjectiveName, ...] = CO_BPS_ALONE

    def trial_seed(self, number: int) -> int:
        """Random seed of the sampling and training of trial ``number``, below 2**32."""
        return (self.seed * 1_000_003 + number) % 2**32
