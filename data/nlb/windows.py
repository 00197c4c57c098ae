"""The windows in which the benchmark reads each trial, and whether a session has the whole of them.

They are those of ``nlb_tools.make_tensors`` (nlb_tools 0.0.4) with its seed 0.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from nlb_search.data.datasets import FORWARD_MS, Dataset
from nlb_search.data.errors import DataError
from nlb_search.data.nwb.alignment import BoolArray, Span, Times, Windows, around, cut, times_of
from nlb_search.data.nwb.session import Session

MAX_JITTER_MS = 300
"""Training and validation windows of dmfc_rsg end up to so much later than Go."""


def jitter_ms(dataset: Dataset, trials: pd.DataFrame, selected: BoolArray, bin_ms: int) -> npt.NDArray[np.float64]:
    """How much later than its align time each selected trial's window is read: whole bins, and none but in dmfc_rsg.

    One draw for each trial in their order, so the same trial has another window among others.
    """
    chosen = trials[selected]
    if dataset.layout != "timing":
        return np.zeros(len(chosen))
    spare_ms = np.clip(dataset.window_length_ms - chosen["tp"].to_numpy(float), 0, MAX_JITTER_MS)
    highest = np.floor(spare_ms / bin_ms)
    # A generator of its own: nlb_tools seeds the one that the whole process shares.
    drawn = np.random.RandomState(0).random_sample(len(chosen)) * highest
    return np.where(chosen["split"] == "test", 0.0, np.round(drawn) * bin_ms)


def whole_windows(
    dataset: Dataset, session: Session, selected: BoolArray, bin_ms: int, gaps: bool = False
) -> npt.NDArray[np.int64]:
    """The bins of window and forward of each selected trial, trials x bins.

    Raises DataError, which names the rows, if a trial lacks a time or a bin. ``gaps``: its bins may be unseen.
    """
    times = _aligned(dataset, session.trials, selected, bin_ms)
    start_ms, end_ms = dataset.window_ms
    window = _Part(around(times, (start_ms, end_ms), dataset.overlap), (end_ms - start_ms) // bin_ms, gaps)
    forward = _Part(around(times, (end_ms, end_ms + FORWARD_MS), True), FORWARD_MS // bin_ms, False)
    lacking = window.is_lacking(session, selected, bin_ms) | forward.is_lacking(session, selected, bin_ms)
    if dataset.layout == "timing":
        lacking |= ~_is_produced(session, selected, bin_ms)
    _refuse(session.path, np.flatnonzero(lacking))
    first = cut(session.trials, selected, window.span, bin_ms, session.n_bins(bin_ms)).first
    return first[:, None] + np.arange(window.n_bins + forward.n_bins)


def unscored_windows(dataset: Dataset, session: Session, selected: BoolArray, bin_ms: int) -> npt.NDArray[np.int64]:
    """The bins of the window of each selected trial of a test file, trials x bins; any may be unseen.

    Raises DataError, which names the rows, if a trial lacks its time or a bin.
    """
    span = around(times_of(session.trials, dataset.align_field), dataset.window_ms, dataset.overlap)
    part = _Part(span, dataset.window_length_ms // bin_ms, True)
    _refuse(session.path, np.flatnonzero(part.is_lacking(session, selected, bin_ms)))
    return cut(session.trials, selected, span, bin_ms, session.n_bins(bin_ms)).bins()


def behavior_windows(dataset: Dataset, session: Session, selected: BoolArray, bin_ms: int) -> Windows:
    """Where the behaviour of the selected trials is read, which is later than the spikes; it may be cut short."""
    start_ms, end_ms = (time + dataset.lag_ms for time in dataset.window_ms)
    span = around(times_of(session.trials, dataset.align_field), (start_ms, end_ms), dataset.scored_overlap)
    return cut(session.trials, selected, span, bin_ms, session.n_bins(bin_ms))


def averaged_windows(dataset: Dataset, session: Session, selected: BoolArray, bin_ms: int) -> Windows:
    """Where the selected trials, all of one condition, are averaged: in dmfc_rsg from Set to Go, else in the window."""
    if dataset.layout == "timing":
        span = _produced(session.trials, overlap=False)
    else:
        span = around(times_of(session.trials, dataset.align_field), dataset.window_ms, overlap=False)
    return cut(session.trials, selected, span, bin_ms, session.n_bins(bin_ms))


def scored_bins(session: Session, selected: BoolArray, bins: npt.NDArray[np.int64], bin_ms: int) -> BoolArray:
    """Which bins of selected trials of dmfc_rsg, trials x bins, lie between Set and Go: the others do not count."""
    produced = cut(session.trials, selected, _produced(session.trials, False), bin_ms, session.n_bins(bin_ms))
    return (bins >= produced.first[:, None]) & (bins < (produced.first + produced.n_bins)[:, None])


def _aligned(dataset: Dataset, trials: pd.DataFrame, selected: BoolArray, bin_ms: int) -> Times:
    late = pd.Series(np.nan, index=trials.index)
    late[selected] = jitter_ms(dataset, trials, selected, bin_ms)
    times: Times = times_of(trials, dataset.align_field) + pd.to_timedelta(late, unit="ms").to_numpy()
    return times


def _produced(trials: pd.DataFrame, overlap: bool) -> Span:
    """The interval that the animal produced, in dmfc_rsg."""
    go = times_of(trials, "go_time")
    return Span(times_of(trials, "set_time"), go, go, overlap)


def _is_produced(session: Session, selected: BoolArray, bin_ms: int) -> BoolArray:
    """Which trials have an interval, which does not reach into the next trial; true where not selected."""
    whole, own = (
        cut(session.trials, selected, _produced(session.trials, overlap), bin_ms, session.n_bins(bin_ms))
        for overlap in (True, False)
    )
    produced = ~selected
    produced[whole.rows] = (whole.n_bins == own.n_bins) & (own.n_bins > 0)
    return produced


@dataclass(frozen=True, eq=False)
class _Part:
    """A part of each trial that must be there: so many bins, all of them seen unless gaps are allowed."""

    span: Span
    n_bins: int
    gaps: bool

    def is_lacking(self, session: Session, selected: BoolArray, bin_ms: int) -> BoolArray:
        """Which of the selected trials lack a bin of it, or a time."""
        windows = cut(session.trials, selected, self.span, bin_ms, session.n_bins(bin_ms))
        windows = windows.chosen((windows.n_bins == self.n_bins) & ~windows.shared)
        if not self.gaps:
            windows = windows.chosen(np.asarray(session.seen(bin_ms)[windows.bins()].all(axis=1)))
        lacking = selected.copy()
        lacking[windows.rows] = False
        return lacking


def _refuse(path: Path, rows: npt.NDArray[np.intp]) -> None:
    if rows.size:
        named = ", ".join(map(str, rows[:5])) + (", ..." if rows.size > 5 else "")
        raise DataError(
            f"{path}: trials in rows {named} of the trial table (from 0) are not whole: a time is missing, or "
            f"their bins reach into the next trial, into unobserved time or past the end\n"
            f"give such trials the split 'none'"
        )
