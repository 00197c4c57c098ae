"""Sums over the spike counts of a split, computed in chunks of trials. All statistics of rates derive from them."""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from nlb_search.data.recording import UNSEEN, Counts, Split

Integers = npt.NDArray[np.int64]

RUN = 1 << 22
"""Approximate number of counts to hold in memory at once."""


@dataclass(frozen=True, eq=False)
class CountSums:
    """Sums over the spike counts of a split, without unseen bins."""

    spikes_BN: Integers
    """Spikes of each trial and neuron, over the window and the forward bins."""
    seen_BN: Integers
    """Number of seen bins of each trial and neuron."""
    heldin_spikes_BT: Integers
    """Spikes of all held-in neurons, in each trial and bin."""
    heldin_seen_BT: Integers
    """Number of held-in neurons that are seen, in each trial and bin."""
    firing_BT: Integers
    """Number of neurons (held-in and held-out) that fire, in each trial and bin."""
    most_BN: Integers
    """The largest count of each trial and neuron."""
    heldin_histogram: Integers
    """Number of bins with 0, 1, 2 ... spikes, over held-in neurons."""
    heldout_histogram: Integers
    """The same for held-out neurons."""

    @property
    def n_trials(self) -> int:
        return len(self.spikes_BN)

    @property
    def spikes_N(self) -> Integers:
        return np.asarray(self.spikes_BN.sum(axis=0))

    @property
    def seen_N(self) -> Integers:
        return np.asarray(self.seen_BN.sum(axis=0))


def count_sums(split: Split) -> CountSums:
    """Compute the sums over a split in one pass."""
    n_heldin = split.n_heldin
    parts = [_sums_of(counts_BTN, n_heldin) for counts_BTN in runs(split.counts)]
    whole: dict[str, Any] = {
        field.name: np.concatenate([getattr(part, field.name) for part in parts])
        for field in fields(CountSums)
        if not field.name.endswith("_histogram")
    }
    histograms = {
        name: np.sum([getattr(part, name) for part in parts], axis=0)
        for name in ("heldin_histogram", "heldout_histogram")
    }
    return CountSums(**whole, **histograms)


def runs(counts_BTN: Counts) -> Iterator[Counts]:
    """Yield chunks of trials; a single empty chunk if there are no trials."""
    step = max(1, RUN // max(1, int(np.prod(counts_BTN.shape[1:]))))
    for start in range(0, max(1, len(counts_BTN)), step):
        yield np.asarray(counts_BTN[start : start + step])


def _sums_of(counts_BTN: Counts, n_heldin: int) -> CountSums:
    seen_BTN = counts_BTN != UNSEEN
    spikes_BTN = np.where(seen_BTN, counts_BTN, np.uint8(0))
    return CountSums(
        spikes_BN=spikes_BTN.sum(axis=1, dtype=np.int64),
        seen_BN=seen_BTN.sum(axis=1, dtype=np.int64),
        heldin_spikes_BT=spikes_BTN[..., :n_heldin].sum(axis=2, dtype=np.int64),
        heldin_seen_BT=seen_BTN[..., :n_heldin].sum(axis=2, dtype=np.int64),
        firing_BT=np.count_nonzero(spikes_BTN, axis=2),
        most_BN=spikes_BTN.max(axis=1, initial=0).astype(np.int64),
        heldin_histogram=_histogram(counts_BTN[..., :n_heldin]),
        heldout_histogram=_histogram(counts_BTN[..., n_heldin:]),
    )


def _histogram(counts: Counts) -> Integers:
    """Number of occurrences of each count, without ``UNSEEN``."""
    return np.bincount(counts.ravel(), minlength=UNSEEN + 1)[:UNSEEN]
