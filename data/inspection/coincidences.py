"""Neurons that fire together: the same spikes twice, or spikes of one that leak into another (crosstalk).

Spikes that neurons share fall into the same bin; rates that they share change little from a bin to the next. So
coincidences beyond chance are those in the same bin less those one bin apart, the shift predictor of
cross-correlograms (Perkel, Gerstein & Moore 1967, Biophysical Journal 7:419), which needs no model of the rates.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nlb_search.data.inspection.count_sums import runs
from nlb_search.data.recording import UNSEEN, Counts

Floats = npt.NDArray[np.float64]

SHARE = 0.25
"""The share of the rarer neuron's spikes beyond chance from which a pair is suspect."""
WIDEST_MS = 20
"""In wider bins rates differ too much from a bin to the next to tell shared spikes from shared rates."""
_DEVIATIONS, _MIN_BY_CHANCE = 6, 9
"""Coincidences must exceed chance by so many standard deviations, where at least so many are taken to come by chance:
a rare neuron's handful of spikes says nothing."""


@dataclass(frozen=True)
class Pair:
    """Two neurons, by their numbers, the smaller first. ``share`` is the part of the rarer one's firing bins in which
    the other fires too, beyond chance.
    """

    first: int
    second: int
    share: float


@dataclass(frozen=True)
class Coincidences:
    """``duplicates`` have equal counts in all bins; ``suspects`` share spikes, None where bins are too wide to tell."""

    duplicates: tuple[tuple[int, int], ...]
    suspects: tuple[Pair, ...] | None


def coincidences(counts_BTN: Counts, bin_ms: int) -> Coincidences:
    """The pairs of neurons that fire together; unseen bins count as silent, and silent neurons are left out."""
    same_NN, apart_NN = _joint(counts_BTN)
    firing_N = np.diag(same_NN)
    rarer_NN = np.minimum(firing_N[:, None], firing_N)
    above_NN = np.triu(rarer_NN > 0, k=1)
    alike_NN = above_NN & (same_NN == firing_N[:, None]) & (same_NN == firing_N)
    for one, other in np.argwhere(alike_NN):
        alike_NN[one, other] = np.array_equal(counts_BTN[..., one], counts_BTN[..., other])
    duplicates = tuple((int(one), int(other)) for one, other in np.argwhere(alike_NN))
    if bin_ms > WIDEST_MS:
        return Coincidences(duplicates, None)
    excess_NN = same_NN - apart_NN
    beyond_chance_NN = excess_NN >= _DEVIATIONS * np.sqrt(np.maximum(apart_NN, _MIN_BY_CHANCE))
    share_NN = excess_NN / np.maximum(rarer_NN, 1)
    suspect_NN = above_NN & ~alike_NN & beyond_chance_NN & (share_NN >= SHARE)
    pairs = (Pair(int(one), int(other), float(share_NN[one, other])) for one, other in np.argwhere(suspect_NN))
    return Coincidences(duplicates, tuple(pairs))


def _joint(counts_BTN: Counts) -> tuple[Floats, Floats]:
    """In how many bins each two neurons both fire, and in how many one fires a bin after or before the other: the mean
    of both, as if there were as many such bins.
    """
    n_bins, n_neurons = counts_BTN.shape[1:]
    same_NN, after_NN = np.zeros((2, n_neurons, n_neurons))
    for run_BTN in runs(counts_BTN):
        # Whole numbers that single precision holds exactly: a run has fewer than 2^24 bins.
        fires_BTN = ((run_BTN > 0) & (run_BTN != UNSEEN)).astype(np.float32)
        fires_SN = fires_BTN.reshape(-1, n_neurons)
        same_NN += fires_SN.T @ fires_SN
        earlier_SN = fires_BTN[:, :-1].reshape(-1, n_neurons)
        after_NN += earlier_SN.T @ fires_BTN[:, 1:].reshape(-1, n_neurons)
    return same_NN, (after_NN + after_NN.T) / 2 * n_bins / max(1, n_bins - 1)
