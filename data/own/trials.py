"""Selecting the trials of your own session, their windows and their splits."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from nlb_search.data.errors import DataError
from nlb_search.data.nwb.alignment import BoolArray, IntArray, Times, times_of
from nlb_search.data.nwb.session import Session
from nlb_search.data.own.recording_settings import RecordingSettings

FORWARD_MS = 200
"""Default length of the forward bins, as in the benchmark."""

_MUCH_SHORTER = 0.5
"""Trials shorter than this fraction of the median length are refused if the shortest trial sets the window."""

_SPLITS = ("train", "val", "test")


@dataclass(frozen=True, eq=False)
class Plan:
    """Which trials are in each split, and which bins of them are read.

    ``rows`` has the rows of each split in the trial table. ``times`` and ``first`` have the align time and the first
    bin of every row of the table; in rows that are in no split, ``first`` is meaningless.
    """

    rows: dict[str, IntArray]
    times: Times
    first: IntArray
    start_ms: int
    n_window_bins: int
    n_forward_bins: int
    choices: tuple[str, ...]

    @property
    def train_val_order(self) -> IntArray:
        """Indices that sort the trials of train, followed by those of val, by time."""
        return np.argsort(self.times[np.concatenate([self.rows["train"], self.rows["val"]])], kind="stable")

    def bins(self, split: str) -> IntArray:
        """The session's bins in the windows and forward bins of a split, trials x bins."""
        return self.first[self.rows[split]][:, None] + np.arange(self.n_window_bins + self.n_forward_bins)


def plan_of(session: Session, settings: RecordingSettings, bin_ms: int) -> Plan:
    """Select trials and windows by ``settings``, with defaults for all that is not set.

    Raises DataError, which names the rows of the trial table, if trials cannot be read, or if windows of different
    splits overlap.
    """
    times = _align_times(session, settings.align)
    rows, choices = _split_rows(session, settings, times)
    included = np.concatenate(list(rows.values()))
    if settings.window_ms is not None and settings.align == RecordingSettings().align:
        choices.append(f"the window is relative to {settings.align}")
    start_ms, end_ms = settings.window_ms or _usual_window(session, settings, times, included, choices)
    n_window_bins = (end_ms - start_ms) // bin_ms
    if not n_window_bins:
        raise DataError(
            f"{session.path}: the window of {end_ms - start_ms} ms is shorter than one bin of {bin_ms} ms: set "
            "window_ms to a longer window"
        )
    first, lacking = _windows(session, times, start_ms, n_window_bins, bin_ms)
    _refuse(
        session.path,
        included[lacking[included]],
        "have windows that extend into time that was not recorded: shorten window_ms, or set their split to 'none'",
    )
    forward_ms = FORWARD_MS if settings.forward_ms is None else settings.forward_ms
    n_forward_bins = forward_ms // bin_ms
    n_bins = n_window_bins + n_forward_bins
    _, lacking = _windows(session, times, start_ms, n_bins, bin_ms)
    obstacles = {
        f"are not recorded for {forward_ms} ms after their window": included[lacking[included]],
        f"overlap test trials in the {forward_ms} ms after their window": _reaching_test(rows, first, n_bins),
    }
    found = next(((why, which) for why, which in obstacles.items() if n_forward_bins and len(which)), None)
    if found and settings.forward_ms is not None:
        _refuse(session.path, found[1], f"{found[0]}: reduce forward_ms")
    elif found:
        n_forward_bins = 0
        choices.append(f"no forward bins, because trials in rows {_listed(found[1])} {found[0]}")
    elif settings.forward_ms is None:
        choices.append(f"the {forward_ms} ms after the window are forward bins")
    plan = Plan(rows, times, first, start_ms, n_window_bins, n_forward_bins, tuple(choices))
    _check_apart(session.path, plan)
    return plan


def _align_times(session: Session, column: str) -> Times:
    """The align times of all rows of the trial table. Raises DataError unless the column has numbers or times."""
    found = session.trials[column]
    if found.dtype.kind not in "iufm":
        raise DataError(
            f"{session.path}: trial column '{column}' does not have times; its first value is {found.iloc[0]!r}"
        )
    if found.dtype.kind == "m":  # the reader has converted it, because its name ends in _time
        return times_of(session.trials, column)
    times: Times = pd.to_timedelta(found.where(np.isfinite(found)), unit="s").to_numpy("timedelta64[ns]")
    return times


def _split_rows(session: Session, settings: RecordingSettings, times: Times) -> tuple[dict[str, IntArray], list[str]]:
    """The rows of each split, and the defaults that were used. There may be no test split."""
    timed = ~np.isnat(times)
    choices = []
    if settings.split is None:
        rows = np.flatnonzero(timed)
        rows = rows[np.argsort(times[rows], kind="stable")]
        n_val = max(1, min(round(settings.val_share * len(rows)), len(rows) - 1))
        splits = {"train": rows[:-n_val], "val": rows[-n_val:]}
        choices.append(f"the last {n_val} of {len(rows)} trials are val")
    else:
        named = session.trials[settings.split].astype(str).to_numpy()
        splits = {name: np.flatnonzero((named == name) & timed) for name in _SPLITS}
        if not len(splits["test"]):
            del splits["test"]
        timed |= ~np.isin(named, _SPLITS)
        found = _listed(sorted(set(named)))
        if not (len(splits["train"]) and len(splits["val"])):
            raise DataError(
                f"{session.path}: trial column '{settings.split}' must have trials with the values train and val; its "
                f"values are {found or 'missing'}"
            )
    if not len(splits["train"]):
        n_trials = len(splits["val"])
        raise DataError(
            f"{session.path} has {n_trials} {'trial' if n_trials == 1 else 'trials'} with a time in "
            f"'{settings.align}', but at least 2 are needed"
        )
    if not timed.all():
        n_left = np.count_nonzero(~timed)
        choices.append(f"left out {n_left} {'trial' if n_left == 1 else 'trials'} without a time in {settings.align}")
    return splits, choices


def _usual_window(
    session: Session, settings: RecordingSettings, times: Times, included: IntArray, choices: list[str]
) -> tuple[int, int]:
    """The default window: from the align time to the end of the shortest trial."""
    lengths_ms = (times_of(session.trials, "stop_time") - times)[included] / np.timedelta64(1, "ms")
    usual_ms = float(np.nanmedian(lengths_ms))
    if usual_ms == 0:
        raise DataError(f"{session.path}: most trials have stop_time equal to {settings.align}: check the trial table")
    short = ~(lengths_ms >= _MUCH_SHORTER * usual_ms)
    _refuse(
        session.path,
        included[short],
        f"are much shorter (from {settings.align} to stop_time) than the median of {usual_ms:.0f} ms: set window_ms, "
        "or set their split to 'none'",
    )
    shortest_ms = int(lengths_ms.min().round(3))  # rounded: differences of times may be off by a nanosecond
    choices.append(f"the window is the {shortest_ms} ms after {settings.align}, the length of the shortest trial")
    return 0, shortest_ms


def _windows(session: Session, times: Times, start_ms: int, n_bins: int, bin_ms: int) -> tuple[IntArray, BoolArray]:
    """The first bin that starts in each trial's window, and a mask of the trials that do not have all bins recorded.

    All windows have ``n_bins`` bins, wherever in a bin the window starts. The benchmark's rule in
    ``data.nwb.alignment.cut`` differs: a window that starts just after the edge of a bin has one bin less.
    """
    timed: BoolArray = np.asarray(~np.isnat(times))
    start_ns = np.where(timed, times.astype(np.int64), 0) + start_ms * 1_000_000
    first = -(-start_ns // (bin_ms * 1_000_000))
    seen = session.seen(bin_ms)
    whole = timed & (first >= 0) & (first + n_bins <= len(seen))
    whole[whole] = seen[first[whole][:, None] + np.arange(n_bins)].all(axis=1)
    return first, ~whole


def _reaching_test(rows: dict[str, IntArray], first: IntArray, n_bins: int) -> IntArray:
    """The trials of train and val with windows or forward bins that overlap those of a test trial."""
    trained = np.concatenate([rows["train"], rows["val"]])
    tested, shown = (
        first[some][:, None] + np.arange(n_bins) for some in (rows.get("test", np.array([], np.int64)), trained)
    )
    return trained[np.isin(shown, tested).any(axis=1)]


def _check_apart(path: Path, plan: Plan) -> None:
    """Raises DataError if windows of different splits overlap, because models would then be trained on val or test."""
    rows = np.concatenate(list(plan.rows.values()))
    splits = np.repeat(list(plan.rows), [len(some) for some in plan.rows.values()])
    order = np.argsort(plan.first[rows], kind="stable")
    rows, splits = rows[order], splits[order]
    # All windows have the same length, so if any two of different splits overlap, two neighbours do.
    overlap = (np.diff(plan.first[rows]) < plan.n_window_bins) & (splits[1:] != splits[:-1])
    for one in np.flatnonzero(overlap)[:1]:
        raise DataError(
            f"{path}: the windows of trials in rows {rows[one]} ({splits[one]}) and {rows[one + 1]} "
            f"({splits[one + 1]}) overlap: shorten window_ms, or set the split of one of them to 'none'"
        )


def _refuse(path: Path, rows: IntArray, why: str) -> None:
    if len(rows):
        raise DataError(f"{path}: trials in rows {_listed(rows)} of the trial table (from 0) {why}")


def _listed(values: Sequence[object] | IntArray) -> str:
    return ", ".join(map(str, values[:5])) + (", ..." if len(values) > 5 else "")
