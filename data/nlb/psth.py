"""Trial averages of smoothed spikes (PSTHs), as nlb_tools makes them for its targets, in less time and memory.

nlb_tools smooths the whole session, each observed stretch by itself, and then averages the bins of a condition's
trials. Smoothing is linear, so here the spikes of a condition's trials are summed first, on the trials' own clock, and
smoothed once. A trial's spikes count as far as the observed stretch around its window goes.
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
"""Trials shorter than this share of the condition's mean are left out."""


@dataclass(frozen=True, eq=False)
class _Condition:
    """Trials that are averaged together, and where in the average each one's bins count.

    ``first``, ``n_bins`` and ``places`` are of the trials: the session's bin from which so many bins are averaged, and
    where the first of them goes; negative places count from the average's end.
    """

    rows: IntArray
    first: IntArray
    n_bins: IntArray
    places: IntArray
    length: int


def psth_targets(
    dataset: Dataset, session: Session, trained: BoolArray, scored: BoolArray, bin_ms: int
) -> dict[str, Array]:
    """What ``make_eval_target_tensors(..., include_psth=True)`` of nlb_tools gives for trial averages.

    Gives ``psth`` (conditions x bins x neurons, held-in neurons first; spikes per bin; NaN beyond a condition's
    shortest trial); for each condition, which of the trained and of the scored trials are in it
    (``train_cond_idx``, ``eval_cond_idx``); and for dmfc_rsg how many bins each trial's window is late
    (``train_jitter``, ``eval_jitter``). Gives nothing where trials do not repeat: for mc_rtt, and without
    conditions in the trial table.
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
    """The conditions that included trials have, in the order of their values."""
    values = session.trials[list(dataset.conditions)]
    averaged = included
    if dataset.layout == "timing":
        averaged = included & (session.trials["is_outlier"] != 1).to_numpy()
    conditions = []
    for condition in sorted(set(values[included].dropna().itertuples(index=False, name=None))):
        chosen = averaged & (values == condition).all(axis=1).to_numpy()
        windows = averaged_windows(dataset, session, chosen, bin_ms)
        if windows.n_bins.any():
            conditions.append(_condition(windows, dataset.window_length_ms // bin_ms, dataset.layout == "timing"))
    return conditions


def _condition(windows: Windows, longest: int, from_end: bool) -> _Condition:
    """One condition, without trials much shorter than the rest, as long as the shortest; all end together, or begin."""
    windows = windows.chosen(windows.n_bins > 0)
    windows = windows.chosen(windows.n_bins >= _SHORT * windows.n_bins.mean())
    steps = np.unique(np.concatenate([np.arange(s, s + n) for s, n in zip(windows.steps, windows.n_bins, strict=True)]))
    length = min(int(windows.n_bins.min()), longest)
    places = np.searchsorted(steps, windows.steps)
    lowest, highest = (len(steps) - length, len(steps)) if from_end else (0, length)
    begin, end = places.clip(min=lowest), (places + windows.n_bins).clip(max=highest)
    return _Condition(
        rows=windows.rows,
        first=windows.first + begin - places,
        n_bins=(end - begin).clip(min=0),
        places=begin - len(steps) if from_end else begin,
        length=length,
    )


def _averages(units: Units, conditions: list[_Condition], n_bins: int, smoothing: Smoothing) -> FloatArray:
    """The averages of neurons of one kind, conditions x bins x neurons."""
    number, first, length, place = (
        np.concatenate(parts)
        for parts in zip(
            *((np.full(len(c.rows), n), c.first, c.n_bins, c.places % n_bins) for n, c in enumerate(conditions)),
            strict=True,
        )
    )
    sums = np.zeros((len(conditions), n_bins, len(units.ids)))
    known = np.zeros((len(conditions), n_bins, 1))
    begin, end = smoothing.bin_ms * first, smoothing.bin_ms * (first + length)
    stretches = units.stretches()
    around = np.searchsorted(stretches[:, 0], begin, side="right") - 1
    whole = (around >= 0) & (end <= stretches[around, 1]) if len(stretches) else np.zeros(len(begin), dtype=bool)

    shapes, group = np.unique(np.stack([number, place, length], axis=1)[whole], axis=0, return_inverse=True)
    n_trials = np.bincount(group, minlength=len(shapes))
    rates = summed(units, begin[whole], end[whole], stretches[around[whole]], group, len(shapes), smoothing)
    for (condition, start, n), trials, rate in zip(shapes, n_trials, rates, strict=True):
        sums[condition, start : start + n] += rate[:n]
        known[condition, start : start + n] += trials
    for trial in np.flatnonzero(~whole):
        condition, part = number[trial], slice(place[trial], place[trial] + length[trial])
        rate, seen = smoothed(units, int(begin[trial]), int(length[trial]), smoothing)
        sums[condition, part][seen] += rate[seen]
        known[condition, part][seen] += 1
    averages: FloatArray = np.divide(sums, known, out=np.full(sums.shape, np.nan), where=known > 0)
    return averages


def _members(conditions: list[_Condition], selected: BoolArray) -> Array:
    """For each condition, its trials' numbers among the selected ones: an array of arrays."""
    rows = np.flatnonzero(selected)
    members = np.empty(len(conditions), dtype=object)
    for number, condition in enumerate(conditions):
        members[number] = np.flatnonzero(np.isin(rows, condition.rows))
    return members
