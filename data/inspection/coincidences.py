"""Finding pairs of neurons with shared spikes: duplicated neurons, and crosstalk.

Shared spikes are in the same bin, while correlated rates change little from one bin to the next. The excess of
coincidences is therefore the number in the same bin minus the number one bin apart. This is the shift predictor of
cross-correlograms (Perkel, Gerstein & Moore 1967, Biophysical Journal 7:419). It needs no model of the rates.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nlb_search.data.inspection.count_sums import runs
from nlb_search.data.recording import UNSEEN, Counts

Floats = npt.NDArray[np.float64]

MIN_FRACTION = 0.25
"""A pair is suspect if at least this fraction of the less active neuron's firing bins are excess coincidences."""
WIDEST_MS = 20
"""In wider bins, rates change too much between bins to distinguish shared spikes from correlated rates."""
_DEVIATIONS, _MIN_EXPECTED = 6, 9
"""The excess must be at least this many standard deviations, computed for at least this many expected coincidences.

The lower bound excludes neurons with only a few spikes.
"""


@dataclass(frozen=True)
class Pair:
    """Two neurons, ``first`` < ``second``. ``share`` is the excess of coincidences as a fraction of the firing bins of
    the less active neuron.
    """

    first: int
    second: int
    share: float


@dataclass(frozen=True)
class Coincidences:
    """Pairs with equal counts in all bins, and other pairs that share spikes (None if bins are too wide to tell)."""

    duplicates: tuple[tuple[int, int], ...]
    suspects: tuple[Pair, ...] | None


def coincidences(counts_BTN: Counts, bin_ms: int) -> Coincidences:
    """Find the pairs of neurons that share spikes. Unseen bins count as bins without spikes."""
    same_NN, apart_NN = _joint(counts_BTN)
    firing_N = np.diag(same_NN)
    fewer_NN = np.minimum(firing_N[:, None], firing_N)
    pair_NN = np.triu(fewer_NN > 0, k=1)
    equal_NN = pair_NN & (same_NN == firing_N[:, None]) & (same_NN == firing_N)
    for one, other in np.argwhere(equal_NN):
        equal_NN[one, other] = np.array_equal(counts_BTN[..., one], counts_BTN[..., other])
    duplicates = tuple((int(one), int(other)) for one, other in np.argwhere(equal_NN))
    if bin_ms > WIDEST_MS:
        return Coincidences(duplicates, None)
    excess_NN = same_NN - apart_NN
    significant_NN = excess_NN >= _DEVIATIONS * np.sqrt(np.maximum(apart_NN, _MIN_EXPECTED))
    share_NN = excess_NN / np.maximum(fewer_NN, 1)
    suspect_NN = pair_NN & ~equal_NN & significant_NN & (share_NN >= MIN_FRACTION)
    pairs = (Pair(int(one), int(other), float(share_NN[one, other])) for one, other in np.argwhere(suspect_NN))
    return Coincidences(duplicates, tuple(pairs))


def _joint(counts_BTN: Counts) -> tuple[Floats, Floats]:
    """Coincidence counts of all pairs of neurons: in the same bin, and one bin apart.

    The latter is the mean over both directions, scaled up to the same number of bins as the former.
    """
    n_bins, n_neurons = counts_BTN.shape[1:]
    same_NN, after_NN = np.zeros((2, n_neurons, n_neurons))
    for run_BTN in runs(counts_BTN):
        # Single precision is exact here, because a chunk has fewer than 2^24 bins.
        fires_BTN = ((run_BTN > 0) & (run_BTN != UNSEEN)).astype(np.float32)
        fires_SN = fires_BTN.reshape(-1, n_neurons)
        same_NN += fires_SN.T @ fires_SN
        earlier_SN = fires_BTN[:, :-1].reshape(-1, n_neurons)
        after_NN += earlier_SN.T @ fires_BTN[:, 1:].reshape(-1, n_neurons)
    return same_NN, (after_NN + after_NN.T) / 2 * n_bins / max(1, n_bins - 1)
