"""The tensors a network is trained and scored on.

Letters used throughout the models: B trials, T bins (the window, then the forward bins), W bins of the window,
I held-in neurons, N all neurons (held-in, then held-out), C channels inside a network.
"""

from dataclasses import dataclass, replace

import torch
from torch import Tensor


@dataclass(frozen=True)
class Sizes:
    """What a network must know of a recording: numbers of neurons and of bins."""

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
    """Spike counts of the trials of one split, in spikes per bin.

    ``heldin_BWI`` is what a model may read: held-in neurons in the window; a bin that was not recorded reads 0.
    ``target_BTN`` is what it must predict: all neurons in window and forward bins; NaN where the count is unknown.
    """

    heldin_BWI: Tensor
    target_BTN: Tensor

    @property
    def n_trials(self) -> int:
        return self.heldin_BWI.shape[0]

    @property
    def sizes(self) -> Sizes:
        _, n_window, n_heldin = self.heldin_BWI.shape
        _, n_bins, n_neurons = self.target_BTN.shape
        return Sizes(n_heldin, n_neurons - n_heldin, n_window, n_bins - n_window)

    def to(self, device: torch.device) -> "Counts":
        return replace(self, heldin_BWI=self.heldin_BWI.to(device), target_BTN=self.target_BTN.to(device))
