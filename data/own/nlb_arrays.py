"""Tensors by the names that nlb_tools gives them: spikes, and what else val trials may be scored against.

``train_*`` are the training trials and ``eval_*`` those of val. Needed are ``*_spikes_heldin`` and
``*_spikes_heldout``, trials x bins x neurons; ``*_spikes_heldin_forward`` and ``*_spikes_heldout_forward`` go together,
as do ``train_behavior`` and ``eval_behavior``, trials x bins x dimensions, and ``psth``, conditions x bins x neurons
(held-in, then held-out), and ``eval_cond_idx``, the val trials of each condition.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from nlb_search.data.errors import DataError
from nlb_search.data.own.counts import check_counts, check_needed, fill
from nlb_search.data.own.layout import NLB_SPIKES
from nlb_search.data.own.splits import joined
from nlb_search.data.recording import Split
from nlb_search.data.source import Array, Tensors

FORWARD = tuple(f"{prefix}_spikes_{kind}_forward" for prefix in ("train", "eval") for kind in ("heldin", "heldout"))
BEHAVIOR = ("train_behavior", "eval_behavior")
DECODERS = ("train_decode_mask", "eval_decode_mask")
CONDITIONS = "eval_cond_idx"
AVERAGES = ("psth", CONDITIONS)
TOGETHER = (FORWARD, BEHAVIOR, DECODERS, AVERAGES)
"""Arrays of which a recording has all or none."""

JITTER = "eval_jitter"
"""By how many bins each val trial's window is late, where trial averages are to be compared with that in mind."""

NAMES = (*NLB_SPIKES, *(name for names in TOGETHER for name in names), JITTER)
"""All arrays that are read."""


def tensors_of_arrays(place: Path, arrays: Mapping[str, Any]) -> Tensors:
    """The tensors of arrays, or HDF5 datasets, by nlb_tools' names; ``place`` is what a message names.

    Raises DataError, with the array and the value, for arrays that do not go together or hold no counts.
    """
    check_needed(place, NLB_SPIKES, arrays)
    for names in TOGETHER:
        missing = [name for name in names if name not in arrays]
        if missing and len(missing) < len(names):
            raise DataError(f"{place} lacks {', '.join(missing)}: give all or none of {', '.join(names)}")
    train, val = (_split(place, arrays, prefix) for prefix in ("train", "eval"))
    if train.counts.shape[1:] != val.counts.shape[1:] or train.heldin.shape[1:] != val.heldin.shape[1:]:
        raise DataError(
            f"{place}: train has {_sizes(train)} and val {_sizes(val)}: both must be of one recording and window"
        )
    left = [name for name in arrays if name not in NAMES]
    choices = [f"{', '.join(left)} left aside"] if left else []
    if FORWARD[0] not in arrays:
        choices.append("no forward bins")
    return joined(place, train, val, _scored(place, arrays, train, val), choices)


def _split(place: Path, arrays: Mapping[str, Any], prefix: str) -> Split:
    parts = {
        (kind, ending): f"{prefix}_spikes_{kind}{ending}"
        for ending in ("", "_forward")
        for kind in ("heldin", "heldout")
        if f"{prefix}_spikes_{kind}{ending}" in arrays
    }
    shapes = {part: check_counts(place, name, arrays[name]) for part, name in parts.items()}
    for (kind, ending), (n_trials, n_bins, n_neurons) in shapes.items():
        alike = (shapes["heldin", ""][0], shapes["heldin", ending][1], shapes[kind, ""][2])
        if (n_trials, n_bins, n_neurons) != alike:
            raise DataError(
                f"{place}: {parts[kind, ending]} has the shape {(n_trials, n_bins, n_neurons)}, "
                f"and {alike} goes with the others: trials x bins x neurons"
            )
    n_trials, n_window_bins, n_heldin = shapes["heldin", ""]
    n_forward_bins = shapes.get(("heldin", "_forward"), (0, 0, 0))[1]
    counts = np.empty((n_trials, n_window_bins + n_forward_bins, n_heldin + shapes["heldout", ""][2]), np.uint8)
    bins = {"": slice(n_window_bins), "_forward": slice(n_window_bins, None)}
    neurons = {"heldin": slice(n_heldin), "heldout": slice(n_heldin, None)}
    for (kind, ending), name in parts.items():
        fill(counts[:, bins[ending], neurons[kind]], place, name, arrays[name])
    return Split(counts, n_window_bins, n_heldin)


def _sizes(split: Split) -> str:
    n_bins, n_neurons = split.counts.shape[1:]
    return (
        f"{split.n_window_bins} + {n_bins - split.n_window_bins} bins and {split.n_heldin} + "
        f"{n_neurons - split.n_heldin} neurons"
    )


def _scored(place: Path, arrays: Mapping[str, Any], train: Split, val: Split) -> dict[str, Array]:
    """What rates are scored against beside spikes."""

    def both(names: tuple[str, str], checked: Callable[[Path, str, Any, Split], Array]) -> dict[str, Array]:
        found = [checked(place, name, arrays[name], split) for name, split in zip(names, (train, val), strict=True)]
        columns = [array.shape[-1] for array in found]
        if columns[0] != columns[1]:
            raise DataError(f"{place}: {names[0]} has {columns[0]} columns and {names[1]} {columns[1]}: give as many")
        return dict(zip(names, found, strict=True))

    targets: dict[str, Array] = {}
    if BEHAVIOR[0] in arrays:
        targets |= both(BEHAVIOR, _behavior)
    if DECODERS[0] in arrays:
        if not targets:
            raise DataError(f"{place} has {DECODERS[0]} but no {BEHAVIOR[0]}: there is nothing to decode")
        targets |= both(DECODERS, _decoders)
    if AVERAGES[0] in arrays:
        targets |= _averages(place, arrays, val)
    return targets


def _behavior(place: Path, name: str, behavior: Any, split: Split) -> Array:
    found = np.asarray(behavior, float)
    if found.ndim != 3 or found.shape[:2] != split.heldin.shape[:2] or found.shape[2] == 0:
        raise DataError(
            f"{place}: {name} has the shape {found.shape}, where {split.heldin.shape[:2]} x dimensions goes with the "
            "spikes: trials x bins of the window x dimensions"
        )
    _check_known(place, name, found, "dimensions, and is then not decoded")
    return found


def _check_known(place: Path, name: str, values: Array, columns: str) -> None:
    """Raises DataError unless each bin is finite in all columns, or NaN in all, as some are not."""
    known = ~np.isnan(values).all(axis=-1)
    if not np.isfinite(values[known]).all() or not known.any():
        raise DataError(f"{place}: {name} is not finite: a bin may be NaN in all {columns}, or in none")


def _decoders(place: Path, name: str, mask: Any, split: Split) -> Array:
    found = np.asarray(mask)
    if found.ndim != 2 or len(found) != split.n_trials or not np.isin(found, (0, 1)).all():
        raise DataError(
            f"{place}: {name} must be true or false for each of {split.n_trials} trials x decoders, "
            f"not {found.dtype} of the shape {found.shape}"
        )
    return found.astype(bool)


def _averages(place: Path, arrays: Mapping[str, Any], val: Split) -> dict[str, Array]:
    psth = np.asarray(arrays["psth"], float)
    members = [_trials(place, trials) for trials in arrays[CONDITIONS]]
    expected = (len(members), val.n_window_bins, val.counts.shape[2])
    if psth.shape != expected:
        raise DataError(
            f"{place}: psth has the shape {psth.shape}, where {expected} goes with {CONDITIONS} and the spikes: "
            "conditions x bins of the window x neurons"
        )
    outside = [trial for trials in members for trial in trials if not 0 <= trial < val.n_trials]
    if outside:
        raise DataError(f"{place}: {CONDITIONS} names trial {outside[0]}, and val has trials 0 to {val.n_trials - 1}")
    _check_known(place, "psth", psth, "neurons, and is then not compared")
    averages: dict[str, Array] = {"psth": psth, CONDITIONS: ragged(members)}
    if JITTER in arrays:
        averages[JITTER] = jitter = _jitter(place, np.asarray(arrays[JITTER]), val)
        _check_within(place, psth, members, jitter)
    return averages


def _trials(place: Path, trials: Any) -> Array:
    found = np.asarray(trials)
    if found.ndim != 1 or (found.size and found.dtype.kind not in "iu"):
        raise DataError(f"{place}: {CONDITIONS} must list the trials of each condition by their numbers, not {trials}")
    return found.astype(int)


def _check_within(place: Path, psth: Array, members: list[Array], jitter: Array) -> None:
    """Raises DataError for an average that has a bin which the window of one of its trials, being late, has not."""
    bins = np.arange(psth.shape[1])
    for average, trials in zip(psth, members, strict=True):
        known = ~np.isnan(average[:, 0])
        for trial in trials:
            if (known & ((bins < jitter[trial]) | (bins >= len(bins) + jitter[trial]))).any():
                raise DataError(
                    f"{place}: the window of trial {trial} of val is {jitter[trial]} bins late ({JITTER}) and lacks "
                    "bins of its average: write NaN in those bins of psth"
                )


def _jitter(place: Path, jitter: Array, val: Split) -> Array:
    if jitter.shape != (val.n_trials,) or jitter.dtype.kind not in "iu" or (abs(jitter) >= val.n_window_bins).any():
        raise DataError(
            f"{place}: {JITTER} must be a whole number of bins, less than the window, for each trial of val"
        )
    return jitter


def ragged(members: Sequence[Array]) -> Array:
    """An array of arrays, however long each is."""
    array = np.empty(len(members), dtype=object)
    for index, member in enumerate(members):
        array[index] = member
    return array
