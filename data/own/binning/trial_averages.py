"""Trial averages (PSTHs) of your own recording, by the conditions of its trials.

They are defined as in ``make_eval_target_tensors(..., include_psth=True)`` of nlb_tools, except that the bins of a
trial are counted from its event.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from nlb_search.data.errors import DataError
from nlb_search.data.nwb.smoothing import Smoothing
from nlb_search.data.own.arrays.nlb_arrays import ragged
from nlb_search.data.own.binning.event_bins import counts_from
from nlb_search.data.own.intervals import EQUAL_NS, NS_PER_MS, BoolArray, FloatArray, IntArray, without
from nlb_search.data.own.sessions.pooled_sessions import PlannedSession
from nlb_search.data.own.tables.trial_table import Condition
from nlb_search.data.source import Array

SMOOTHING_MS = 50
"""Standard deviation of the Gaussian that spikes are smoothed with; the benchmark uses 40 to 70 ms."""

_FEWEST = 2
"""With fewer trials per condition than this, on average, the conditions do not repeat."""

_AT_ONCE = 64
"""Number of trials whose spikes are in memory at once, in bins of 1 ms."""


def trial_averages(
    sessions: Sequence[PlannedSession], averaged: Sequence[str], scored: str, bin_ms: int
) -> dict[str, Array]:
    """Average over the trials of the splits ``averaged``, to score predictions of the split ``scored``.

    Returns ``psth``, conditions x bins of the window x neurons (held-in, then held-out) in spikes per bin, and
    ``eval_cond_idx``, for each condition the indices of its trials in ``scored``. Trials without a condition are left
    out. Raises DataError if the conditions do not repeat.
    """
    sums: dict[Condition, FloatArray] = {}
    n_trials: Counter[Condition] = Counter()
    for one in sessions:
        for condition, rows in _by_condition(one, averaged):
            sums[condition] = sums.get(condition, 0) + _smoothed_sum(one, rows, bin_ms)
            n_trials[condition] += len(rows)
    _check_repeated(sessions[0].session.path, n_trials)
    conditions = sorted(sums)
    scored_conditions = [
        one.session.trials.conditions[row] for one in sessions for row in one.plan.rows.get(scored, ())
    ]
    members = [
        np.array([trial for trial, found in enumerate(scored_conditions) if found == condition], dtype=int)
        for condition in conditions
    ]
    averages = np.stack([sums[condition] / n_trials[condition] for condition in conditions])
    return {"psth": averages, "eval_cond_idx": ragged(members)}


def _by_condition(one: PlannedSession, splits: Sequence[str]) -> Iterator[tuple[Condition, IntArray]]:
    """The rows of each condition among the trials of these splits."""
    rows = np.concatenate([one.plan.rows[name] for name in splits if name in one.plan.rows])
    conditions = [one.session.trials.conditions[row] for row in rows]
    for condition in {found for found in conditions if found is not None}:
        yield condition, rows[[found == condition for found in conditions]]


def _smoothed_sum(one: PlannedSession, rows: IntArray, bin_ms: int) -> FloatArray:
    """The smoothed spikes of these trials, summed over trials: bins of the window x neurons."""
    smoothing, plan = Smoothing(SMOOTHING_MS, bin_ms), one.plan
    reach_ms = smoothing.reach_ms(plan.n_window_bins)
    kinds = (one.session.heldin, one.session.heldout)
    total = np.zeros((reach_ms, sum(len(kind.ids) for kind in kinds)))
    for first in range(0, len(rows), _AT_ONCE):
        starts_ns = plan.starts_ns[rows[first : first + _AT_ONCE]]
        reach_ns = starts_ns - smoothing.before_ms * NS_PER_MS
        [counts] = counts_from(one.session.path, kinds, [reach_ns], reach_ms, 1)
        known = _in_same_stretch(one, starts_ns, reach_ns, reach_ms)
        total += counts.sum(axis=0, where=known[..., None])
    smoothed = np.apply_along_axis(np.convolve, 0, total, smoothing.kernel, mode="valid")
    return np.asarray(smoothed.reshape(plan.n_window_bins, bin_ms, -1).sum(axis=1))


def _in_same_stretch(one: PlannedSession, starts_ns: IntArray, reach_ns: IntArray, reach_ms: int) -> BoolArray:
    """The milliseconds from ``reach_ns`` that are in the same stretch of recorded time as the window: trials x ms."""
    stretches = without(one.session.recorded, one.session.invalid)
    around = stretches[np.searchsorted(stretches[:, 0], starts_ns + EQUAL_NS, side="right") - 1]
    times_ns = reach_ns[:, None] + np.arange(reach_ms) * NS_PER_MS
    after_begin = times_ns >= around[:, :1] - EQUAL_NS
    return np.asarray(after_begin & (times_ns + NS_PER_MS <= around[:, 1:] + EQUAL_NS))


def _check_repeated(path: Path, n_trials: Counter[Condition]) -> None:
    if not n_trials:
        raise DataError(f"{path}: no trial has a condition: set condition to trial columns with values in every trial")
    if n_trials.total() < _FEWEST * len(n_trials):
        raise DataError(
            f"{path}: the {n_trials.total()} trials with a condition have {len(n_trials)} different conditions, "
            "so there are no trial averages: set condition to trial columns with few values, each in several trials"
        )
