"""The tensors that a network is trained and scored on.

Axis letters in all of models: B trials, T bins (the window, then the forward bins), W bins of the window, I held-in
neurons, N all neurons (held-in, then held-out), C channels inside a network, K networks trained side by side.
"""

from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor

UNSEEN = 255
"""Marks an entry whose count is unknown."""

SUMMED_TRIALS = 64
"""Number of trials whose counts are summed at once."""


@dataclass(frozen=True)
class Sizes:
    """The numbers of neurons and bins of a recording."""

    n_heldin: int
    n_heldout: int
    n_window: int
    n_forward: int

    @property
    def n_neurons(self) -> int:
        return self.n_heldin + self.n_heldout

    @property
    def n_bins(self) -> int:
        return self.n_window + self.n_forward


@dataclass(frozen=True)
class Counts:
    """Spike counts of the trials of one split, in spikes per bin: ``counts_BTN``, of type uint8.

    The type is uint8 so that all workers of a machine can share one memory-mapped file; a step converts only the trials
    that it reads to float. Unknown counts are ``UNSEEN``.
    """

    counts_BTN: Tensor
    sizes: Sizes

    @property
    def n_trials(self) -> int:
        return self.counts_BTN.shape[0]

    @property
    def heldin_BWI(self) -> Tensor:
        """The input of a model, uint8: held-in neurons in the window, with unknown counts set to 0."""
        heldin_BWI = self.counts_BTN[:, : self.sizes.n_window, : self.sizes.n_heldin]
        return heldin_BWI.masked_fill(heldin_BWI == UNSEEN, 0)

    @property
    def target_BTN(self) -> Tensor:
        """The target of a model, float32: all neurons in window and forward bins, NaN where the count is unknown."""
        return with_nan(self.counts_BTN)

    def of_trials(self, trials: Tensor | slice) -> "Counts":
        """The counts of the selected trials."""
        return replace(self, counts_BTN=self.counts_BTN[trials])

    @cached_property
    def mean_N(self) -> Tensor:
        """Each neuron's mean over its known counts, or 0 if none is known."""
        total_N, known_N = self.counts_BTN.new_zeros(2, self.sizes.n_neurons, dtype=torch.float64)
        # In parts, because summing uint8 first converts the whole tensor.
        for part_BTN in self.counts_BTN.split(SUMMED_TRIALS):
            known_BTN = part_BTN != UNSEEN
            total_N += part_BTN.masked_fill(~known_BTN, 0).sum(dim=(0, 1), dtype=torch.float64)
            known_N += known_BTN.sum(dim=(0, 1))
        mean_N: Tensor = total_N / known_N.clamp(min=1)
        return mean_N.float()

    def to(self, device: torch.device) -> "Counts":
        return replace(self, counts_BTN=self.counts_BTN.to(device))


def with_nan(counts: Tensor) -> Tensor:
    """Convert counts to float32, with NaN for unknown counts."""
    return counts.float().masked_fill_(counts == UNSEEN, torch.nan)
