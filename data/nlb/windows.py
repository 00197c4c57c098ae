"""The window of each trial in the benchmark, and a check that the session has all of its bins.

The windows are those of ``nlb_tools.make_tensors`` (nlb_tools 0.0.4) with seed 0.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from nlb_search.data.datasets import FORWARD_MS, Dataset
from nlb_search.data.errors import DataError
from nlb_search.data.nwb.alignment import BoolArray, Span, Windows, around, cut
from nlb_search.data.nwb.session import Session
from nlb_search.data.nwb.trial_table import Times, TrialTable

MAX_JITTER_MS = 300
"""In dmfc_rsg, training and validation windows end at a random time up to this long after Go."""


def jitter_ms(dataset: Dataset, trials: TrialTable, selected: BoolArray, bin_ms: int) -> npt.NDArray[np.float64]:
    """Random delay of each selected trial's window after its align time: whole bins in dmfc_rsg, else zero.

    Delays are drawn in the order of the selected trials, so a trial's delay depends on which trials are selected.
    """
    if dataset.layout != "timing":
        return np.zeros(selected.sum())
    produced_ms = trials["tp"][selected].astype(float)
    spare_ms = np.clip(dataset.window_length_ms - produced_ms, 0, MAX_JITTER_MS)
    highest = np.floor(spare_ms / bin_ms)
    # A separate generator; nlb_tools seeds NumPy's global one.
    drawn = np.random.RandomState(0).random_sample(len(produced_ms)) * highest
    return np.where(trials["split"][selected] == "test", 0.0, np.round(drawn) * bin_ms)


def whole_windows(
    dataset: Dataset, session: Session, selected: BoolArray, bin_ms: int, gaps: bool = False
) -> npt.NDArray[np.int64]:
    """The session's bins in the window and forward bins of each selected trial, trials x bins.

    If ``gaps`` is true, bins of the window may be unseen.
    Raises DataError, which names the rows, if a trial has no time or not all bins.
    """
    times = _aligned(dataset, session.trials, selected, bin_ms)
    start_ms, end_ms = dataset.window_ms
    window = _Part(around(times, (start_ms, end_ms), dataset.overlap), (end_ms - start_ms) // bin_ms, gaps)
    forward = _Part(around(times, (end_ms, end_ms + FORWARD_MS), True), FORWARD_MS // bin_ms, False)
    incomplete = window.is_incomplete(session, selected, bin_ms) | forward.is_incomplete(session, selected, bin_ms)
    if dataset.layout == "timing":
        incomplete |= ~_is_produced(session, selected, bin_ms)
    _reject(session.path, np.flatnonzero(incomplete))
    first = cut(session.trials, selected, window.span, bin_ms, session.n_bins(bin_ms)).first
    return first[:, None] + np.arange(window.n_bins + forward.n_bins)


def unscored_windows(dataset: Dataset, session: Session, selected: BoolArray, bin_ms: int) -> npt.NDArray[np.int64]:
    """The session's bins in the window of each selected trial of a test file, trials x bins. Bins may be unseen.

    Raises DataError, which names the rows, if a trial has no time or not all bins.
    """
    span = around(session.trials[dataset.align_field], dataset.window_ms, dataset.overlap)
    part = _Part(span, dataset.window_length_ms // bin_ms, True)
    _reject(session.path, np.flatnonzero(part.is_incomplete(session, selected, bin_ms)))
    return cut(session.trials, selected, span, bin_ms, session.n_bins(bin_ms)).bins()


def behavior_windows(dataset: Dataset, session: Session, selected: BoolArray, bin_ms: int) -> Windows:
    """The behaviour window of each selected trial: ``lag_ms`` after the spike window. It may be truncated."""
    start_ms, end_ms = (time + dataset.lag_ms for time in dataset.window_ms)
    span = around(session.trials[dataset.align_field], (start_ms, end_ms), dataset.scored_overlap)
    return cut(session.trials, selected, span, bin_ms, session.n_bins(bin_ms))


def averaged_windows(dataset: Dataset, session: Session, selected: BoolArray, bin_ms: int) -> Windows:
    """The window of each selected trial that is averaged: from Set to Go in dmfc_rsg, else the trial window.

    The selected trials must all be of one condition.
    """
    if dataset.layout == "timing":
        span = _produced(session.trials, overlap=False)
    else:
        span = around(session.trials[dataset.align_field], dataset.window_ms, overlap=False)
    return cut(session.trials, selected, span, bin_ms, session.n_bins(bin_ms))


def scored_bins(session: Session, selected: BoolArray, bins: npt.NDArray[np.int64], bin_ms: int) -> BoolArray:
    """Mask of the scored bins of selected dmfc_rsg trials, trials x bins: those between Set and Go."""
    produced = cut(session.trials, selected, _produced(session.trials, False), bin_ms, session.n_bins(bin_ms))
    return (bins >= produced.first[:, None]) & (bins < (produced.first + produced.n_bins)[:, None])


def _aligned(dataset: Dataset, trials: TrialTable, selected: BoolArray, bin_ms: int) -> Times:
    late_ms = np.full(len(selected), np.nan)
    late_ms[selected] = jitter_ms(dataset, trials, selected, bin_ms)
    times: Times = trials[dataset.align_field] + late_ms.astype("timedelta64[ms]")
    return times


def _produced(trials: TrialTable, overlap: bool) -> Span:
    """The interval produced by the animal in dmfc_rsg, from Set to Go."""
    go = trials["go_time"]
    return Span(trials["set_time"], go, go, overlap)


def _is_produced(session: Session, selected: BoolArray, bin_ms: int) -> BoolArray:
    """Which trials have a produced interval that ends before the next trial; true for trials not selected."""
    whole, own = (
        cut(session.trials, selected, _produced(session.trials, overlap), bin_ms, session.n_bins(bin_ms))
        for overlap in (True, False)
    )
    produced = ~selected
    produced[whole.rows] = (whole.n_bins == own.n_bins) & (own.n_bins > 0)
    return produced


@dataclass(frozen=True, eq=False)
class _Part:
    """A part of each trial that must have ``n_bins`` bins, all of them seen unless ``gaps`` is true."""

    span: Span
    n_bins: int
    gaps: bool

    def is_incomplete(self, session: Session, selected: BoolArray, bin_ms: int) -> BoolArray:
        """Which of the selected trials have no time, or not all bins of this part."""
        windows = cut(session.trials, selected, self.span, bin_ms, session.n_bins(bin_ms))
        windows = windows.chosen((windows.n_bins == self.n_bins) & ~windows.shared)
        if not self.gaps:
            windows = windows.chosen(np.asarray(session.seen(bin_ms)[windows.bins()].all(axis=1)))
        incomplete = selected.copy()
        incomplete[windows.rows] = False
        return incomplete


def _reject(path: Path, rows: npt.NDArray[np.intp]) -> None:
    if rows.size:
        named = ", ".join(map(str, rows[:5])) + (", ..." if rows.size > 5 else "")
        raise DataError(
            f"{path}: trials in rows {named} of the trial table (from 0) are incomplete: a time is missing, or their "
            f"bins extend into the next trial, into unobserved time or past the end of the recording\n"
            f"set the split of these trials to 'none'"
        )
