"""What the sampler and the pruner of a study are made from."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from nlb_search.search.sampling.ranges import Space

SamplerName = Literal["tpe", "random", "grid", "gp", "cmaes"]
PrunerName = Literal["hyperband", "median", "patient", "none"]


@dataclass(frozen=True, kw_only=True)
class SamplingSettings:
    """How a study's settings are sampled and its trials pruned.

    ``space_name`` is what error messages call the space; ``trials`` is the number to finish; a trial trains for at
    most ``epochs`` and is scored after every ``evaluate_every`` of them.
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

    def trial_seed(self, number: int) -> int:
        """The seed of one trial's training and sampling, below 2**32."""
        return (self.seed * 1_000_003 + number) % 2**32
