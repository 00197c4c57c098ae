"""Pooling the trials of sessions with the same units: train, val and test of each session."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

from nlb_search.data.errors import DataError
from nlb_search.data.own.intervals import IntArray
from nlb_search.data.own.recording_file import Tables, opened_recording
from nlb_search.data.own.recording_settings import RecordingSettings
from nlb_search.data.own.sessions.session import OwnSession, read_own_session
from nlb_search.data.own.sessions.session_paths import session_paths
from nlb_search.data.own.sessions.trials import WindowPlan, plan_windows
from nlb_search.data.own.tables.unit_table import read_units, unit_table
from nlb_search.data.own.wording import listed


@dataclass(frozen=True, eq=False)
class PlannedSession:
    """A session, its open file, and the windows to read. ``first_row`` is the number of trials in earlier sessions."""

    file: h5py.File
    session: OwnSession
    plan: WindowPlan
    first_row: int


def planned_sessions(path: Path, file: h5py.File, settings: RecordingSettings, bin_ms: int) -> Iterator[PlannedSession]:
    """The session in ``path``, whose ``file`` is open, and the further ones that ``settings`` name; each is open until
    the next one is asked for.

    All have the held-out units of the first. Raises DataError, with the ids, if their units differ, or if the numbers
    of bins do.
    """
    session = read_own_session(path, file, settings)
    first = PlannedSession(file, session, plan_windows(session, settings, bin_ms), 0)
    yield first
    same = settings.model_copy(update={"heldout": tuple(session.heldout.ids.tolist())})
    n_rows = len(session.trials.start_s)
    for other in session_paths(path, settings)[1:]:
        with opened_recording(other, same) as opened:
            if not isinstance(opened, Tables):
                raise DataError(f"{other} has arrays: only recordings with spike times can be pooled as sessions")
            _check_units(other, opened.file, same, first.session)
            further = read_own_session(other, opened.file, same)
            planned = PlannedSession(opened.file, further, plan_windows(further, same, bin_ms), n_rows)
            _check_bins(first, planned)
            yield planned
            n_rows += len(further.trials.start_s)


def rows_of(sessions: Sequence[PlannedSession]) -> dict[str, IntArray]:
    """The rows of each split, counted through the trial tables of all sessions."""
    names = dict.fromkeys(name for one in sessions for name in one.plan.rows)
    return {
        name: np.concatenate([one.first_row + one.plan.rows[name] for one in sessions if name in one.plan.rows])
        for name in names
    }


def train_val_order(plans: Sequence[WindowPlan]) -> IntArray:
    """Indices that sort the trials of train, followed by those of val, by session and then by time."""
    n_train, n_val = (np.array([len(plan.rows[name]) for plan in plans]) for name in ("train", "val"))
    of_train, of_val = np.cumsum(n_train) - n_train, n_train.sum() + np.cumsum(n_val) - n_val
    orders = [
        np.where(plan.train_val_order < n, train + plan.train_val_order, val + plan.train_val_order - n)
        for plan, n, train, val in zip(plans, n_train, of_train, of_val, strict=True)
    ]
    return np.asarray(np.concatenate(orders), dtype=np.int64)


def _check_units(path: Path, file: h5py.File, settings: RecordingSettings, first: OwnSession) -> None:
    expected = set(first.heldin.ids.tolist()) | set(first.heldout.ids.tolist())
    found = set(read_units(path, file, unit_table(path, file, settings), settings).ids.tolist())
    differing = [
        f"units {listed(sorted(ids))} are only in {there}"
        for ids, there in ((expected - found, first.path), (found - expected, path))
        if ids
    ]
    if differing:
        raise DataError(
            f"sessions can be pooled only if they have the same units, but {' and '.join(differing)}: leave these out "
            "with the setting units, or remove the session"
        )


def _check_bins(first: PlannedSession, other: PlannedSession) -> None:
    one, two = ((plan.n_window_bins, plan.n_forward_bins) for plan in (first.plan, other.plan))
    if one != two:
        raise DataError(
            f"{first.session.path} has {one[0]} + {one[1]} bins (window + forward) and {other.session.path} has "
            f"{two[0]} + {two[1]}: set window_ms and forward_ms to what all sessions have"
        )
