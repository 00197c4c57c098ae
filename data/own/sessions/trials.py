"""Selecting the trials of your own recording, their windows and their splits."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nlb_search.data.errors import DataError
from nlb_search.data.own.intervals import (
    EQUAL_NS,
    NS_PER_MS,
    BoolArray,
    FloatArray,
    IntArray,
    nanoseconds,
    overlapping,
    within,
)
from nlb_search.data.own.recording_settings import RecordingSettings
from nlb_search.data.own.sessions.session import OwnSession
from nlb_search.data.own.sessions.trial_splits import split_rows
from nlb_search.data.own.wording import counted, listed

FORWARD_MS = 200
"""Default length of the forward bins, as in the benchmark."""

_MUCH_SHORTER = 0.5
"""Trials shorter than this fraction of the median length are rejected if the shortest trial sets the window."""

_MANY = 0.5
"""There are no forward bins if they are unseen in more than this fraction of the trials of a split."""


@dataclass(frozen=True, eq=False)
class WindowPlan:
    """Which trials are in each split, and which bins of them are read.

    ``rows`` has the rows of each split in the trial table. ``starts_ns`` has the start of the window of every row of
    the table, in nanoseconds; in rows that are in no split, it is meaningless. The bins of a trial are counted from
    there. ``forward_unseen`` marks the rows whose forward bins must not be read.
    """

    rows: dict[str, IntArray]
    starts_ns: IntArray
    forward_unseen: BoolArray
    n_window_bins: int
    n_forward_bins: int
    choices: tuple[str, ...]

    @property
    def train_val_order(self) -> IntArray:
        """Indices that sort the trials of train, followed by those of val, by time."""
        return np.argsort(self.starts_ns[np.concatenate([self.rows["train"], self.rows["val"]])], kind="stable")


@dataclass(frozen=True)
class _Forward:
    """The number of forward bins, the rows in which they are unseen, and what was chosen."""

    n_bins: int
    unseen: IntArray
    choices: list[str]


def plan_windows(session: OwnSession, settings: RecordingSettings, bin_ms: int) -> WindowPlan:
    """Select trials and windows by ``settings``, with defaults for all that is not set.

    Raises DataError, which names the rows of the trial table, if trials cannot be read, or if windows of different
    splits overlap.
    """
    wanted, timed = session.trials.wanted, session.trials.timed
    usable = wanted & timed
    split_rows(session, settings, usable)  # raises if there is nothing to derive the default window from
    start_ms, end_ms, window_choices = _window(session, settings, np.flatnonzero(usable))
    n_window_bins = (end_ms - start_ms) // bin_ms
    if not n_window_bins:
        raise DataError(
            f"{session.path}: the window of {end_ms - start_ms} ms is shorter than one bin of {bin_ms} ms: set "
            "window_ms to a longer window"
        )
    starts_ns = nanoseconds(np.where(timed, session.trials.align_s, 0)) + start_ms * NS_PER_MS
    forward_ms = FORWARD_MS if settings.forward_ms is None else settings.forward_ms
    n_bins = n_window_bins + forward_ms // bin_ms
    invalid = usable & overlapping(starts_ns, n_bins * bin_ms * NS_PER_MS, session.invalid)
    if not (usable & ~invalid).any():
        raise DataError(
            f"{session.path}: all {counted(np.flatnonzero(usable))} overlap intervals of the table invalid_times: "
            "check the table"
        )
    rows, split_choices = split_rows(session, settings, usable & ~invalid)
    included = np.concatenate(list(rows.values()))
    lacking = ~within(starts_ns, n_window_bins * bin_ms * NS_PER_MS, session.recorded)
    _reject(
        session.path,
        included[lacking[included]],
        "have windows that extend into time that was not recorded from all units: shorten window_ms, leave out units "
        "that were lost, or set the split of these trials to 'none'",
    )
    forward = _forward(session, settings, rows, starts_ns, n_bins * bin_ms, forward_ms, bin_ms)
    left_out = [
        f"left out {counted(which)} {why} (rows {listed(which)})"
        for why, which in (
            (f"without a time in {settings.align}", np.flatnonzero(wanted & ~timed)),
            ("in the table invalid_times", np.flatnonzero(invalid)),
        )
        if len(which)
    ]
    unseen = np.zeros(len(starts_ns), dtype=bool)
    unseen[forward.unseen] = True
    choices = (*split_choices, *left_out, *window_choices, *forward.choices)
    plan = WindowPlan(rows, starts_ns, unseen, n_window_bins, forward.n_bins, choices)
    _check_apart(session.path, plan, bin_ms)
    return plan


def _window(session: OwnSession, settings: RecordingSettings, included: IntArray) -> tuple[int, int, list[str]]:
    """Start and end of the window relative to the align time, in milliseconds, and the defaults that were used."""
    if settings.cut_ms is not None:
        return 0, settings.cut_ms, []
    if settings.window_ms is None:
        length_ms = _usual_length_ms(session, settings.align, included)
        said = f"the window is the {length_ms} ms after {settings.align}, the length of the shortest trial"
        return 0, length_ms, [said]
    default = settings.align == RecordingSettings().align
    return *settings.window_ms, [f"the window is relative to {settings.align}"] if default else []


def _usual_length_ms(session: OwnSession, align: str, included: IntArray) -> int:
    """The time from the align time to the end of the shortest trial."""
    _reject(
        session.path,
        included[np.isnan(session.trials.stop_s[included])],
        "have no stop_time, which sets the window: write it, set window_ms, or set their split to 'none'",
    )
    lengths_ms: FloatArray = 1000 * (session.trials.stop_s - session.trials.align_s)[included]
    usual_ms = float(np.median(lengths_ms))
    if usual_ms == 0:
        raise DataError(f"{session.path}: most trials have stop_time equal to {align}: check the trial table")
    if usual_ms < 0:
        raise DataError(f"{session.path}: most trials stop before {align}: set window_ms, relative to {align}")
    _reject(
        session.path,
        included[~(lengths_ms >= _MUCH_SHORTER * usual_ms)],
        f"are much shorter (from {align} to stop_time) than the median of {usual_ms:.0f} ms: set window_ms, "
        "or set their split to 'none'",
    )
    return int(lengths_ms.min().round(3))  # rounded: differences of times may be off by a nanosecond


def _forward(
    session: OwnSession,
    settings: RecordingSettings,
    rows: dict[str, IntArray],
    starts_ns: IntArray,
    whole_ms: int,
    forward_ms: int,
    bin_ms: int,
) -> _Forward:
    """The forward bins, which end ``whole_ms`` after the start of the window.

    Trials in which they were not recorded, or in which they reach into a trial of the test split, keep their windows.
    There are no forward bins if these are many; if forward bins were asked for, that is an error.
    """
    if forward_ms < bin_ms:
        return _Forward(0, np.array([], np.int64), [])
    included = np.concatenate(list(rows.values()))
    missed = included[~within(starts_ns[included], whole_ms * NS_PER_MS, session.recorded)]
    shared = _reaching_across(rows, starts_ns, whole_ms * NS_PER_MS)
    obstacles = {
        f"are not recorded for {forward_ms} ms after their window": missed,
        f"overlap test trials in the {forward_ms} ms after their window": shared,
    }
    for why, which in obstacles.items():
        if any(np.isin(some, which).mean() > _MANY for some in rows.values()):
            if settings.forward_ms is not None:
                _reject(session.path, which, f"{why}: reduce forward_ms")
            return _Forward(
                0, np.array([], np.int64), [f"no forward bins, because trials in rows {listed(which)} {why}"]
            )
    choices = [] if settings.forward_ms is not None else [f"the {forward_ms} ms after the window are forward bins"]
    choices += [
        f"the forward bins of {counted(which)} are unseen (rows {listed(which)}): they {why}"
        for why, which in obstacles.items()
        if len(which)
    ]
    return _Forward(forward_ms // bin_ms, np.union1d(missed, shared), choices)


def _reaching_across(rows: dict[str, IntArray], starts_ns: IntArray, length_ns: int) -> IntArray:
    """The trials whose bins reach into a later trial, if one of the two is in test and the other is not."""
    test = np.sort(starts_ns[rows.get("test", np.array([], np.int64))])
    trained = np.sort(starts_ns[np.concatenate([rows["train"], rows["val"]])])
    found = []
    for name, some in rows.items():
        others = trained if name == "test" else test
        start = starts_ns[some]
        following = np.append(others, np.iinfo(np.int64).max)[np.searchsorted(others, start)]
        found.append(some[following < start + length_ns - EQUAL_NS])
    return np.sort(np.concatenate(found))


def _check_apart(path: Path, plan: WindowPlan, bin_ms: int) -> None:
    """Raises DataError if windows of different splits overlap, because models would then be trained on val or test."""
    rows = np.concatenate(list(plan.rows.values()))
    splits = np.repeat(list(plan.rows), [len(some) for some in plan.rows.values()])
    order = np.argsort(plan.starts_ns[rows], kind="stable")
    rows, splits = rows[order], splits[order]
    # All windows have the same length, so if any two of different splits overlap, two neighbours do.
    length_ns = plan.n_window_bins * bin_ms * NS_PER_MS
    overlap = (np.diff(plan.starts_ns[rows]) < length_ns - EQUAL_NS) & (splits[1:] != splits[:-1])
    for one in np.flatnonzero(overlap)[:1]:
        raise DataError(
            f"{path}: the windows of trials in rows {rows[one]} ({splits[one]}) and {rows[one + 1]} "
            f"({splits[one + 1]}) overlap: shorten window_ms, or set the split of one of them to 'none'"
        )


def _reject(path: Path, rows: IntArray, why: str) -> None:
    if len(rows):
        raise DataError(f"{path}: trials in rows {listed(rows)} of the trial table (from 0) {why}")
