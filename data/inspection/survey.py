"""Sums over all splits of a recording, from which its statistics and figures are computed."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nlb_search.data.inspection.count_sums import CountSums, count_sums
from nlb_search.data.inspection.trial_order import TrialOrder, trial_order
from nlb_search.data.recording import Recording

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Survey:
    """Sums over each split. Rates are in spikes per second per neuron, NaN where nothing is seen."""

    recording: Recording
    train: CountSums
    val: CountSums
    train_val: CountSums
    test: CountSums | None
    order: TrialOrder

    @property
    def splits(self) -> dict[str, CountSums]:
        """The splits without shared trials (train, val and, if any, test), by name."""
        return {"train": self.train, "val": self.val} | ({} if self.test is None else {"test": self.test})

    @property
    def rates_N(self) -> Floats:
        """The mean rate of each neuron over train and val."""
        spikes_N, seen_N = self.train.spikes_N + self.val.spikes_N, self.train.seen_N + self.val.seen_N
        return self._rate(spikes_N, seen_N)

    def rates_B(self, split: CountSums) -> Floats:
        """The mean rate of held-in neurons in each trial's window. It is available in all splits, including test."""
        window = slice(self.recording.n_window_bins)
        return self._rate(split.heldin_spikes_BT[:, window].sum(axis=1), split.heldin_seen_BT[:, window].sum(axis=1))

    def rates_T(self, split: CountSums) -> Floats:
        """The mean rate of held-in neurons in each bin: the window, then the forward bins if the split has them."""
        return self._rate(split.heldin_spikes_BT.sum(axis=0), split.heldin_seen_BT.sum(axis=0))

    def _rate(self, spikes: npt.NDArray[np.int64], seen: npt.NDArray[np.int64]) -> Floats:
        seconds = seen * self.recording.bin_ms / 1000
        rates: Floats = np.divide(spikes, seconds, out=np.full(spikes.shape, np.nan), where=seen > 0)
        return rates


def survey_of(recording: Recording) -> Survey:
    """Compute the sums over all splits."""
    return Survey(
        recording=recording,
        train=count_sums(recording.train),
        val=count_sums(recording.val),
        train_val=count_sums(recording.train_val),
        test=None if recording.test is None else count_sums(recording.test),
        order=trial_order(recording),
    )
