"""Trial averages of smoothed spikes (PSTHs): the same values as nlb_tools computes, with less time and memory.

nlb_tools smooths the whole session, each observed stretch separately, and then averages over the trials of each
condition. Smoothing is linear, so this module first sums the spikes of a condition's trials, aligned to each other, and
then smooths the sum once. Spikes outside the observed stretch around a trial's window are ignored.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nlb_search.data.datasets import Dataset
from nlb_search.data.nlb.windows import averaged_windows, jitter_ms
from nlb_search.data.nwb.alignment import BoolArray, IntArray, Windows
from nlb_search.data.nwb.session import Session, Units
from nlb_search.data.nwb.smoothing import Smoothing, smoothed, summed
from nlb_search.data.source import Array

FloatArray = npt.NDArray[np.float64]

_SHORT = 0.8
"""Trials shorter than this fraction of the condition's mean length are left out."""


@dataclass(frozen=True, eq=False)
class _Condition:
    """The trials of one condition, and where their bins go in the average of ``length`` bins.

    For each trial, ``rows`` is its row in the trial table. Its ``n_bins`` bins from bin ``first`` of the session are
    added to the average from bin ``offsets``; negative offsets count from the end of the average.
    """

    rows: IntArray
    first: IntArray
    n_bins: IntArray
    offsets: IntArray
    length: int


def psth_targets(
    dataset: Dataset, session: Session, trained: BoolArray, scored: BoolArray, bin_ms: int
) -> dict[str, Array]:
    """Trial averages, as in ``make_eval_target_tensors(..., include_psth=True)`` of nlb_tools.

    ``trained`` and ``scored`` are masks over the rows of the trial table. Returns these arrays by name:

    - ``psth``: conditions x bins x neurons (held-in first), in spikes per bin; NaN where a condition's shortest trial
      has no bin.
    - ``train_cond_idx`` and ``eval_cond_idx``: for each condition, the indices of its trials among the trained and the
      scored trials.
    - ``train_jitter`` and ``eval_jitter``, for dmfc_rsg only: the delay of each trial's window, in bins.

    Returns an empty dict if there are no repeated trials: for mc_rtt, or if the trial table has no conditions.
    """
    conditions = _conditions(dataset, session, trained | scored, bin_ms) if dataset.conditions else []
    if not conditions:
        return {}
    n_bins = max(condition.length for condition in conditions)
    if dataset.layout == "timing":
        n_bins = dataset.window_length_ms // bin_ms
    smoothing = Smoothing(dataset.smoothing_ms, bin_ms)
    averages = [_averages(units, conditions, n_bins, smoothing) for units in (session.heldin, session.heldout)]
    targets: dict[str, Array] = {"psth": np.concatenate(averages, axis=2)}
    for prefix, selected in (("train", trained), ("eval", scored)):
        targets[f"{prefix}_cond_idx"] = _members(conditions, selected)
        if dataset.layout == "timing":
            late_ms = jitter_ms(dataset, session.trials, selected, bin_ms)
            targets[f"{prefix}_jitter"] = (late_ms / bin_ms).round().astype(int)
    return targets


def _conditions(dataset: Dataset, session: Session, included: BoolArray, bin_ms: int) -> list[_Condition]:
    """The conditions of the included trials, sorted by their values."""
    columns = [session.trials[name] for name in dataset.conditions]
    averaged = included
    if dataset.layout == "timing":
        averaged = included & (session.trials["is_outlier"] != 1)
    conditions = []
    known = included & np.all([column == column for column in columns], axis=0)  # not NaN
    for condition in sorted(set(zip(*(column[known].tolist() for column in columns), strict=True))):
        chosen = averaged & np.all([column == value for column, value in zip(columns, condition, strict=True)], axis=0)
        windows = averaged_windows(dataset, session, chosen, bin_ms)
        if windows.n_bins.any():
            conditions.append(_condition(windows, dataset.window_length_ms // bin_ms, dataset.layout == "timing"))
    return conditions


def _condition(windows: Windows, longest: int, from_end: bool) -> _Condition:
    """Align a condition's trials at their start, or at their end, and truncate them to the shortest.

    Trials that are much shorter than the rest are left out.
    """
    windows = windows.chosen(windows.n_bins > 0)
    windows = windows.chosen(windows.n_bins >= _SHORT * windows.n_bins.mean())
    steps = np.unique(np.concatenate([np.arange(s, s + n) for s, n in zip(windows.steps, windows.n_bins, strict=True)]))
    length = min(int(windows.n_bins.min()), longest)
    offsets = np.searchsorted(steps, windows.steps)
    lowest, highest = (len(steps) - length, len(steps)) if from_end else (0, length)
    begin, end = offsets.clip(min=lowest), (offsets + windows.n_bins).clip(max=highest)
    return _Condition(
        rows=windows.rows,
        first=windows.first + begin - offsets,
        n_bins=(end - begin).clip(min=0),
        offsets=begin - len(steps) if from_end else begin,
        length=length,
    )


def _averages(units: Units, conditions: list[_Condition], n_bins: int, smoothing: Smoothing) -> FloatArray:
    """The averages of held-in or held-out neurons, conditions x bins x neurons."""
    number, first, length, offset = (
        np.concatenate(parts)
        for parts in zip(
            *((np.full(len(c.rows), n), c.first, c.n_bins, c.offsets % n_bins) for n, c in enumerate(conditions)),
            strict=True,
        )
    )
    sums = np.zeros((len(conditions), n_bins, len(units.ids)))
    known = np.zeros((len(conditions), n_bins, 1))
    begin, end = smoothing.bin_ms * first, smoothing.bin_ms * (first + length)
    stretches = units.stretches()
    around = np.searchsorted(stretches[:, 0], begin, side="right") - 1
    whole = (around >= 0) & (end <= stretches[around, 1]) if len(stretches) else np.zeros(len(begin), dtype=bool)

    shapes, group = np.unique(np.stack([number, offset, length], axis=1)[whole], axis=0, return_inverse=True)
    n_trials = np.bincount(group, minlength=len(shapes))
    rates = summed(units, begin[whole], end[whole], stretches[around[whole]], group, len(shapes), smoothing)
    for (condition, start, n), trials, rate in zip(shapes, n_trials, rates, strict=True):
        sums[condition, start : start + n] += rate[:n]
        known[condition, start : start + n] += trials
    for trial in np.flatnonzero(~whole):
        condition, part = number[trial], slice(offset[trial], offset[trial] + length[trial])
        rate, seen = smoothed(units, int(begin[trial]), int(length[trial]), smoothing)
        sums[condition, part][seen] += rate[seen]
        known[condition, part][seen] += 1
    averages: FloatArray = np.divide(sums, known, out=np.full(sums.shape, np.nan), where=known > 0)
    return averages


def _members(conditions: list[_Condition], selected: BoolArray) -> Array:
    """For each condition, the indices of its trials among the selected trials: an array of arrays."""
    rows = np.flatnonzero(selected)
    members = np.empty(len(conditions), dtype=object)
    for number, condition in enumerate(conditions):
        members[number] = np.flatnonzero(np.isin(rows, condition.rows))
    return members
