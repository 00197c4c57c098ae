"""Which trials of your own session are read, over which windows, and which of them are val."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from nlb_search.data.errors import DataError
from nlb_search.data.nwb.alignment import BoolArray, IntArray, Times, times_of
from nlb_search.data.nwb.session import Session
from nlb_search.data.own.settings import RecordingSettings

FORWARD_MS = 200
"""The forward bins of a recording that has them, unless told: those of the benchmark."""

_MUCH_SHORTER = 0.5
"""A trial of less than so much of the usual length would cut all others short."""

_SPLITS = ("train", "val", "test")


@dataclass(frozen=True, eq=False)
class Plan:
    """The rows of each split in the trial table, the time of each row, and the bins around it that are read.

    ``first`` is each row's first bin of the session; rows that are in no split mean nothing.
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
        """The trials of train, then those of val, put into the order of time."""
        return np.argsort(self.times[np.concatenate([self.rows["train"], self.rows["val"]])], kind="stable")

    def bins(self, split: str) -> IntArray:
        """The bins of window and forward, trials x bins."""
        return self.first[self.rows[split]][:, None] + np.arange(self.n_window_bins + self.n_forward_bins)


def plan_of(session: Session, settings: RecordingSettings, bin_ms: int) -> Plan:
    """What ``settings``, and defaults where they say nothing, make of a session's trial table.

    Raises DataError, which names the rows of the table, for trials that cannot be read or are in two splits at once.
    """
    times = _align_times(session, settings.align)
    rows, choices = _split_rows(session, settings, times)
    included = np.concatenate(list(rows.values()))
    if settings.window_ms is not None and settings.align == RecordingSettings().align:
        choices.append(f"the window lies around {settings.align}")
    start_ms, end_ms = settings.window_ms or _usual_window(session, settings, times, included, choices)
    n_window_bins = (end_ms - start_ms) // bin_ms
    if not n_window_bins:
        raise DataError(f"{session.path}: a window of {end_ms - start_ms} ms is shorter than a bin of {bin_ms} ms")
    first, lacking = _windows(session, times, start_ms, n_window_bins, bin_ms)
    _refuse(
        session.path,
        included[lacking[included]],
        "reach into time that was not recorded: shorten window_ms, or give them the split 'none'",
    )
    forward_ms = FORWARD_MS if settings.forward_ms is None else settings.forward_ms
    n_forward_bins = forward_ms // bin_ms
    n_bins = n_window_bins + n_forward_bins
    _, lacking = _windows(session, times, start_ms, n_bins, bin_ms)
    hindering = {
        f"have no {forward_ms} ms after their window": included[lacking[included]],
        f"share the {forward_ms} ms after their window with test trials": _reaching_test(rows, first, n_bins),
    }
    found = next(((why, which) for why, which in hindering.items() if n_forward_bins and len(which)), None)
    if found and settings.forward_ms is not None:
        _refuse(session.path, found[1], f"{found[0]}: take less for forward_ms")
    elif found:
        n_forward_bins = 0
        choices.append(f"no forward bins, for trials in rows {_listed(found[1])} {found[0]}")
    elif settings.forward_ms is None:
        choices.append(f"the {forward_ms} ms after the window are forward bins")
    plan = Plan(rows, times, first, start_ms, n_window_bins, n_forward_bins, tuple(choices))
    _check_apart(session.path, plan)
    return plan


def _align_times(session: Session, column: str) -> Times:
    """The times, in seconds in the table, around which trials are read."""
    found = session.trials[column]
    if found.dtype.kind not in "iufm":
        raise DataError(f"{session.path}: trial column '{column}' holds no times but {found.iloc[0]!r} and so on")
    if found.dtype.kind == "m":  # the reader takes a column for times by its name
        return times_of(session.trials, column)
    times: Times = pd.to_timedelta(found.where(np.isfinite(found)), unit="s").to_numpy("timedelta64[ns]")
    return times


def _split_rows(session: Session, settings: RecordingSettings, times: Times) -> tuple[dict[str, IntArray], list[str]]:
    """The rows of each split that has some, and what was decided about them."""
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
                f"{session.path}: trial column '{settings.split}' must say train of some trials and val of others, "
                f"and it says {found or 'nothing'}"
            )
    if not len(splits["train"]):
        raise DataError(f"{session.path} has {len(splits['val'])} trials with a time in '{settings.align}': give more")
    if not timed.all():
        n_left = np.count_nonzero(~timed)
        choices.append(f"{n_left} {'trial' if n_left == 1 else 'trials'} without a time in {settings.align} left out")
    return splits, choices


def _usual_window(
    session: Session, settings: RecordingSettings, times: Times, included: IntArray, choices: list[str]
) -> tuple[int, int]:
    """From the align time to the end of the shortest trial."""
    lengths_ms = (times_of(session.trials, "stop_time") - times)[included] / np.timedelta64(1, "ms")
    usual_ms = float(np.nanmedian(lengths_ms))
    short = ~(lengths_ms >= _MUCH_SHORTER * usual_ms)
    _refuse(
        session.path,
        included[short],
        f"end much sooner after {settings.align} than the usual {usual_ms:.0f} ms: say window_ms, or give them the "
        "split 'none'",
    )
    shortest_ms = int(lengths_ms.min().round(3))  # two times of a nanosecond's precision may lie one too close
    choices.append(f"the window is the {shortest_ms} ms after {settings.align} that the shortest trial lasts")
    return 0, shortest_ms


def _windows(session: Session, times: Times, start_ms: int, n_bins: int, bin_ms: int) -> tuple[IntArray, BoolArray]:
    """The first bin that starts in each trial's window, and which trials have not all bins, recorded from each neuron.

    All windows have as many bins, whatever part of a bin passes before the first: another rule than the benchmark's
    ``data.nwb.alignment.cut``, which ends a window a microsecond early, so that one which starts just after a bin's
    edge has a bin less.
    """
    timed: BoolArray = np.asarray(~np.isnat(times))
    start_ns = np.where(timed, times.astype(np.int64), 0) + start_ms * 1_000_000
    first = -(-start_ns // (bin_ms * 1_000_000))
    seen = session.seen(bin_ms)
    whole = timed & (first >= 0) & (first + n_bins <= len(seen))
    whole[whole] = seen[first[whole][:, None] + np.arange(n_bins)].all(axis=1)
    return first, ~whole


def _reaching_test(rows: dict[str, IntArray], first: IntArray, n_bins: int) -> IntArray:
    """The trials of train and val that have a bin of a test trial among theirs, windows or forward bins."""
    trained = np.concatenate([rows["train"], rows["val"]])
    tested, shown = (
        first[some][:, None] + np.arange(n_bins) for some in (rows.get("test", np.array([], np.int64)), trained)
    )
    return trained[np.isin(shown, tested).any(axis=1)]


def _check_apart(path: Path, plan: Plan) -> None:
    """Raises DataError if a moment is in the windows of two splits: val would be known from training."""
    rows = np.concatenate(list(plan.rows.values()))
    splits = np.repeat(list(plan.rows), [len(some) for some in plan.rows.values()])
    order = np.argsort(plan.first[rows], kind="stable")
    rows, splits = rows[order], splits[order]
    # Windows are equally long, so if any two of different splits overlap, two neighbours do.
    overlap = (np.diff(plan.first[rows]) < plan.n_window_bins) & (splits[1:] != splits[:-1])
    for one in np.flatnonzero(overlap)[:1]:
        raise DataError(
            f"{path}: the windows of trials in rows {rows[one]} ({splits[one]}) and {rows[one + 1]} "
            f"({splits[one + 1]}) overlap: shorten window_ms, or give one of them the split 'none'"
        )


def _refuse(path: Path, rows: IntArray, why: str) -> None:
    if len(rows):
        raise DataError(f"{path}: trials in rows {_listed(rows)} of the trial table (from 0) {why}")


def _listed(values: Sequence[object] | IntArray) -> str:
    return ", ".join(map(str, values[:5])) + (", ..." if len(values) > 5 else "")
