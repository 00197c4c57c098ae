"""Intervals that the animal produces in a timing task, for the correlation of neural speed with them (tp corr).

They are scored like those of dmfc_rsg by ``nlb_tools.evaluation.speed_tp_correlation``, but the bins of an interval are
a separate target: held-out spikes are scored in all bins of the window.
"""

from collections.abc import Sequence

import numpy as np

from nlb_search.data.own.arrays.array_intervals import FEWEST_BINS, INTERVAL_BINS, INTERVALS, check_correlated
from nlb_search.data.own.intervals import EQUAL_NS, NS_PER_MS, BoolArray, FloatArray, nanoseconds
from nlb_search.data.own.sessions.pooled_sessions import PlannedSession
from nlb_search.data.own.tables.trial_table import Condition
from nlb_search.data.source import Array


def produced_intervals(sessions: Sequence[PlannedSession], scored: str, bin_ms: int) -> dict[str, Array]:
    """The produced intervals of the trials of the split ``scored``.

    Returns ``eval_interval_bins``, trials x bins of the window, true in bins that lie in the interval, and
    ``eval_intervals``, trials x 2: the number of the condition, and the interval in milliseconds. A trial is NaN in the
    latter if one of its times or its condition is missing, or if fewer than two bins of its window lie in the interval.
    Raises DataError if no condition has two different intervals.
    """
    bins = np.concatenate([_bins_inside(one, scored, bin_ms) for one in sessions])
    spans_s = np.concatenate([_interval_s(one)[one.plan.rows.get(scored, [])] for one in sessions])
    conditions = _numbered([_condition(one, row) for one in sessions for row in one.plan.rows.get(scored, ())])
    lengths_ms = (1000 * np.diff(spans_s, axis=1)[:, 0]).round(3)  # else equal ones may differ by rounding
    found = np.stack([conditions, lengths_ms], axis=1)
    found[np.isnan(found).any(axis=1) | (np.count_nonzero(bins, axis=1) < FEWEST_BINS)] = np.nan
    check_correlated(sessions[0].session.path, scored, found)
    return {INTERVAL_BINS: bins, INTERVALS: found}


def _bins_inside(one: PlannedSession, scored: str, bin_ms: int) -> BoolArray:
    """Whether each bin of the window lies in the interval, trials x bins; false where the interval is unknown."""
    rows = one.plan.rows.get(scored, np.array([], np.int64))
    spans_ns = nanoseconds(np.nan_to_num(_interval_s(one)[rows], nan=0.0))
    starts_ns = one.plan.starts_ns[rows, None] + np.arange(one.plan.n_window_bins) * bin_ms * NS_PER_MS
    after_begin = starts_ns >= spans_ns[:, :1] - EQUAL_NS
    return np.asarray(after_begin & (starts_ns + bin_ms * NS_PER_MS <= spans_ns[:, 1:] + EQUAL_NS))


def _interval_s(one: PlannedSession) -> FloatArray:
    interval_s = one.session.trials.interval_s
    assert interval_s is not None
    return interval_s


def _condition(one: PlannedSession, row: int) -> Condition | None:
    conditions = one.session.trials.interval_conditions
    return conditions[row] if conditions else ()


def _numbered(conditions: Sequence[Condition | None]) -> FloatArray:
    """The number of each condition in their order; NaN where it is missing."""
    order = {condition: number for number, condition in enumerate(sorted({c for c in conditions if c is not None}))}
    return np.array([np.nan if condition is None else order[condition] for condition in conditions], dtype=float)
