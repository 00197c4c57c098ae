"""From a recording's counts to the tensors that models know."""

import numpy as np
import torch

from data.recording import UNSEEN, Recording, Split
from data.recording import Counts as CountArray
from models.tensors import Counts, Sizes


def sizes_of(recording: Recording) -> Sizes:
    """The numbers of neurons and bins that a network of this recording has."""
    return Sizes(recording.n_heldin, recording.n_heldout, recording.n_window_bins, recording.n_forward_bins)


def counts_of(split: Split) -> Counts:
    """The counts of a split that has targets: every split but test."""
    arrays = (split.heldin, split.heldout, split.heldin_forward, split.heldout_forward)
    heldin, heldout, heldin_forward, heldout_forward = (torch.from_numpy(np.array(a)) for a in arrays if a is not None)
    window = torch.cat([heldin, heldout], dim=2)
    forward = torch.cat([heldin_forward, heldout_forward], dim=2)
    sizes = Sizes(heldin.shape[2], heldout.shape[2], window.shape[1], forward.shape[1])
    return Counts(torch.cat([window, forward], dim=1), sizes)


def heldin_of(split: Split) -> torch.Tensor:
    """What a model may read of a split: held-in counts, trials x window bins x held-in; unseen bins read 0."""
    return torch.nan_to_num(_with_gaps(split.heldin))


def largest_count(split: Split) -> int:
    """The most spikes that one neuron fires in one bin of the split."""
    arrays = (split.heldin, split.heldout, split.heldin_forward, split.heldout_forward)
    return max(int(array[array != UNSEEN].max(initial=0)) for array in arrays if array is not None)


def _with_gaps(counts: CountArray) -> torch.Tensor:
    return torch.from_numpy(np.where(counts == UNSEEN, np.float32(np.nan), counts.astype(np.float32)))
