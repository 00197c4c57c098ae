"""From a recording's counts to the tensors that models know."""

import numpy as np
import numpy.typing as npt
import torch

from data.recording import UNSEEN, Recording, Split
from data.recording import Counts as CountArray
from models.tensors import Counts, Sizes


def sizes_of(recording: Recording) -> Sizes:
    """The numbers of neurons and bins that a network of this recording has."""
    return Sizes(recording.n_heldin, recording.n_heldout, recording.n_window_bins, recording.n_forward_bins)


def counts_of(split: Split) -> Counts:
    """The counts of a split that has targets: every split but test."""
    return Counts(heldin_of(split), torch.from_numpy(_filled(split.counts, np.nan)))


def heldin_of(split: Split) -> torch.Tensor:
    """What a model may read of a split: held-in counts, trials x window bins x held-in; unseen bins read 0."""
    return torch.from_numpy(_filled(split.heldin, 0.0))


def largest_count(split: Split) -> int:
    """The most spikes that one neuron fires in one bin of the split."""
    return int(split.counts.max(initial=0, where=split.counts != UNSEEN))


def _filled(counts: CountArray, unseen: float) -> npt.NDArray[np.float32]:
    """The counts as floats, with ``unseen`` where a count is not known."""
    return np.where(counts == UNSEEN, np.float32(unseen), counts)
