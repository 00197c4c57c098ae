"""Converts a recording's counts to the tensors of models."""

import numpy as np
import torch
from torch.utils.dlpack import from_dlpack

from nlb_search.data.recording import UNSEEN, Recording, Split
from nlb_search.models.tensors import Counts, Sizes


def sizes_of(recording: Recording) -> Sizes:
    """Numbers of neurons and bins of a network for this recording."""
    return Sizes(recording.n_heldin, recording.n_heldout, recording.n_window_bins, recording.n_forward_bins)


def counts_of(split: Split) -> Counts:
    """Counts of a split with targets, which is any split except test. The data is memory-mapped, not copied."""
    n_bins, n_neurons = split.counts.shape[1:]
    sizes = Sizes(split.n_heldin, n_neurons - split.n_heldin, split.n_window_bins, n_bins - split.n_window_bins)
    # DLPack, because from_numpy warns about read-only arrays. Counts are never written to.
    return Counts(from_dlpack(split.counts), sizes)


def heldin_of(split: Split) -> torch.Tensor:
    """Input of a model: held-in counts as uint8, trials x window bins x held-in neurons; unseen bins are 0."""
    return torch.from_numpy(np.where(split.heldin == UNSEEN, np.uint8(0), split.heldin))


def largest_count(split: Split) -> int:
    """The largest number of spikes of one neuron in one bin of the split."""
    return int(split.counts.max(initial=0, where=split.counts != UNSEEN))
