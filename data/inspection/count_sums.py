"""Sums over the counts of a split, taken a run of trials at a time: all that is said of its rates follows from them."""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from nlb_search.data.recording import UNSEEN, Counts, Split

Integers = npt.NDArray[np.int64]

RUN = 1 << 22
"""About how many counts are in memory together."""


@dataclass(frozen=True, eq=False)
class Tally:
    """What a split's counts add up to; unseen bins count in none of the sums."""

    spikes_BN: Integers
    """Spikes of each trial and neuron, in window and forward bins."""
    seen_BN: Integers
    """Bins of each trial in which a neuron's count is known."""
    heldin_spikes_BT: Integers
    """Spikes of all held-in neurons in each bin of each trial."""
    heldin_seen_BT: Integers
    """Held-in neurons whose count is known in each bin of each trial."""
    firing_BT: Integers
    """Neurons, of either kind, that fire in each bin of each trial."""
    most_BN: Integers
    """The largest count of each trial and neuron."""
    heldin_histogram: Integers
    """How many bins of held-in neurons hold 0, 1, 2 ... spikes."""
    heldout_histogram: Integers
    """The same of held-out neurons."""

    @property
    def n_trials(self) -> int:
        return len(self.spikes_BN)

    @property
    def spikes_N(self) -> Integers:
        return np.asarray(self.spikes_BN.sum(axis=0))

    @property
    def seen_N(self) -> Integers:
        return np.asarray(self.seen_BN.sum(axis=0))


def tally(split: Split) -> Tally:
    """The sums over a split, whose counts are read once."""
    n_heldin = split.n_heldin
    parts = [_tally(counts_BTN, n_heldin) for counts_BTN in runs(split.counts)]
    whole: dict[str, Any] = {
        field.name: np.concatenate([getattr(part, field.name) for part in parts])
        for field in fields(Tally)
        if not field.name.endswith("_histogram")
    }
    histograms = {
        name: np.sum([getattr(part, name) for part in parts], axis=0)
        for name in ("heldin_histogram", "heldout_histogram")
    }
    return Tally(**whole, **histograms)


def runs(counts_BTN: Counts) -> Iterator[Counts]:
    """Run after run of trials; one empty run of no trials."""
    step = max(1, RUN // max(1, int(np.prod(counts_BTN.shape[1:]))))
    for start in range(0, max(1, len(counts_BTN)), step):
        yield np.asarray(counts_BTN[start : start + step])


def _tally(counts_BTN: Counts, n_heldin: int) -> Tally:
    seen_BTN = counts_BTN != UNSEEN
    spikes_BTN = np.where(seen_BTN, counts_BTN, np.uint8(0))
    return Tally(
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
    """How often each count comes, without ``UNSEEN``, the last of 256."""
    return np.bincount(counts.ravel(), minlength=UNSEEN + 1)[:UNSEEN]
