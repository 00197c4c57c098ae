"""Splits of a session: spike counts of held-in and held-out neurons, in the windows and forward bins of trials."""

from nlb_search.data.datasets import Dataset
from nlb_search.data.nlb.windows import scored_bins
from nlb_search.data.nwb.alignment import BoolArray, IntArray
from nlb_search.data.nwb.binning import counts_in
from nlb_search.data.nwb.session import Session
from nlb_search.data.recording import UNSEEN, Split


def splits_in(dataset: Dataset, session: Session, windows: dict[str, IntArray], bin_ms: int) -> dict[str, Split]:
    """Spike counts of all neurons, for each split. ``windows`` has the bins of its windows and forward bins.

    The bins are bins of the session, trials x bins.
    """
    counted = counts_in(session, (session.heldin, session.heldout), list(windows.values()), bin_ms)
    n_window_bins, n_heldin = dataset.window_length_ms // bin_ms, len(session.heldin.ids)
    return {name: Split(counts, n_window_bins, n_heldin) for name, counts in zip(windows, counted, strict=True)}


def without_unscored(
    dataset: Dataset, session: Session, scored: BoolArray, bins: IntArray, split: Split, bin_ms: int
) -> Split:
    """Set the held-out counts that are not scored to ``UNSEEN``. ``bins`` are the session's bins of the split."""
    if dataset.layout != "timing":
        return split
    counts = split.counts.copy()
    heldout = counts[:, : split.n_window_bins, split.n_heldin :]
    heldout[~scored_bins(session, scored, bins[:, : split.n_window_bins], bin_ms)] = UNSEEN
    return Split(counts, split.n_window_bins, split.n_heldin)
