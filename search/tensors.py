"""From a recording's counts to the tensors that models know."""

import numpy as np
import torch
from torch.utils.dlpack import from_dlpack

from nlb_search.data.recording import UNSEEN, Recording, Split
from nlb_search.models.tensors import Counts, Sizes


def sizes_of(recording: Recording) -> Sizes:
    """The numbers of neurons and bins that a network of this recording has."""
    return Sizes(recording.n_heldin, recording.n_heldout, recording.n_window_bins, recording.n_forward_bins)


def counts_of(split: Split) -> Counts:
    """The counts of a split that has targets: every split but test. They are the mapped file itself, not a copy."""
    n_bins, n_neurons = split.counts.shape[1:]
    sizes = Sizes(split.n_heldin, n_neurons - split.n_heldin, split.n_window_bins, n_bins - split.n_window_bins)
    # By DLPack, for from_numpy warns of arrays that must not be written to, and nobody writes to counts.
    return Counts(from_dlpack(split.counts), sizes)


def heldin_of(split: Split) -> torch.Tensor:
    """What a model may read of a split, uint8: held-in counts, trials x window bins x held-in; unseen bins read 0."""
    return torch.from_numpy(np.where(split.heldin == UNSEEN, np.uint8(0), split.heldin))


def largest_count(split: Split) -> int:
    """The most spikes that one neuron fires in one bin of the split."""
    return int(split.counts.max(initial=0, where=split.counts != UNSEEN))
