"""Recordings as arrays by nlb_tools' names: spikes, and optional behaviour and trial averages.

``train_*`` arrays are for the training trials and ``eval_*`` arrays for val. Required are ``*_spikes_heldin`` and
``*_spikes_heldout``, trials x bins x neurons. The optional arrays come in sets, of which a recording has all or none:

- ``*_spikes_heldin_forward`` and ``*_spikes_heldout_forward``: trials x forward bins x neurons.
- ``train_behavior`` and ``eval_behavior``: trials x bins x dimensions.
- ``train_decode_mask`` and ``eval_decode_mask``: trials x decoders.
- ``psth``, conditions x bins x neurons (held-in, then held-out), and ``eval_cond_idx``, the val trials of each
  condition; with them, ``eval_jitter`` is allowed.
- ``eval_interval_bins``, trials x bins, and ``eval_intervals``, trials x columns: produced intervals.

Test trials are optional: ``test_spikes_heldin`` is what models read. The other ``test_*`` arrays are targets that only
``evaluate`` reads: ``test_spikes_heldout``, and with it both ``test_spikes_*_forward``, ``test_behavior``,
``test_decode_mask`` and the produced intervals, if train and eval have them.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from nlb_search.data.errors import DataError
from nlb_search.data.own.arrays.array_intervals import INTERVAL_BINS, INTERVALS, array_intervals
from nlb_search.data.own.arrays.array_test_split import with_test
from nlb_search.data.own.arrays.counts import check_axes, check_counts, check_needed, fill, swapped_axes
from nlb_search.data.own.file_format import NLB_SPIKES
from nlb_search.data.own.memory import check_memory
from nlb_search.data.own.tensor_assembly import assembled_tensors, spike_targets
from nlb_search.data.recording import Counts, Split
from nlb_search.data.source import Array, Tensors

FORWARD = tuple(f"{prefix}_spikes_{kind}_forward" for prefix in ("train", "eval") for kind in ("heldin", "heldout"))
BEHAVIOR = ("train_behavior", "eval_behavior")
DECODERS = ("train_decode_mask", "eval_decode_mask")
CONDITIONS = "eval_cond_idx"
AVERAGES = ("psth", CONDITIONS)
PRODUCED = (INTERVAL_BINS, INTERVALS)
TOGETHER = (FORWARD, BEHAVIOR, DECODERS, AVERAGES, PRODUCED)
"""Sets of arrays of which a recording must have all or none."""

JITTER = "eval_jitter"
"""Delay of each val trial's window in bins, which is undone before rates are compared with trial averages."""

TEST_HELDIN = "test_spikes_heldin"
TEST_TARGETS = tuple(
    f"test_{ending}" for ending in ("spikes_heldout", "spikes_heldin_forward", "spikes_heldout_forward")
)
TEST_BEHAVIOR, TEST_DECODERS = "test_behavior", "test_decode_mask"
TEST_PRODUCED = tuple(name.replace("eval", "test", 1) for name in PRODUCED)
TEST = (TEST_HELDIN, *TEST_TARGETS, TEST_BEHAVIOR, TEST_DECODERS, *TEST_PRODUCED)
"""The arrays of test trials: held-in counts to read, and targets to score."""

NAMES = (*NLB_SPIKES, *(name for names in TOGETHER for name in names), JITTER, *TEST)
"""All arrays that are read."""


def tensors_of_arrays(path: Path, arrays: Mapping[str, Any]) -> Tensors:
    """Make the tensors from arrays, or HDF5 datasets, by nlb_tools' names. ``path`` is the file to name in messages.

    Raises DataError, with the array and the value, if arrays are missing, do not match each other, or have wrong
    values.
    """
    check_needed(path, NLB_SPIKES, arrays)
    for names in TOGETHER:
        missing = [name for name in names if name not in arrays]
        if missing and len(missing) < len(names):
            raise DataError(f"{path} lacks {', '.join(missing)}: give all or none of {', '.join(names)}")
    shapes = {name: check_counts(path, name, arrays[name]) for name in NLB_SPIKES}
    check_memory(path, shapes.values())
    kinds = ("heldin", "heldout")
    check_axes(path, {kind: (shapes[f"train_spikes_{kind}"], shapes[f"eval_spikes_{kind}"]) for kind in kinds})
    train, val = (_split(path, arrays, prefix) for prefix in ("train", "eval"))
    if train.counts.shape[1:] != val.counts.shape[1:] or train.heldin.shape[1:] != val.heldin.shape[1:]:
        raise DataError(
            f"{path}: train has {_sizes(train)}, but val has {_sizes(val)}: both must have the same bins and neurons"
        )
    ignored = [name for name in arrays if name not in NAMES]
    choices = [f"ignored: {', '.join(ignored)}"] if ignored else []
    if FORWARD[0] not in arrays:
        choices.append("no forward bins")
    choices += swapped_axes(train.counts)
    scored = _scored(path, arrays, train, val)
    tensors = assembled_tensors(path, train, val, scored, choices)
    if not any(name in arrays for name in TEST):
        return tensors
    return with_test(path, tensors, *_test(path, arrays, train, scored))


def _test(
    path: Path, arrays: Mapping[str, Any], train: Split, scored: dict[str, Array]
) -> tuple[Counts, dict[str, Array]]:
    """The held-in counts of the test trials, and their targets; none if held-out spikes are not given."""
    check_needed(path, [TEST_HELDIN], arrays)
    given = [name for name in TEST[1:] if name in arrays]
    if not given:
        shape = check_counts(path, TEST_HELDIN, arrays[TEST_HELDIN])
        heldin = np.empty(shape, np.uint8)
        fill(heldin, path, TEST_HELDIN, arrays[TEST_HELDIN])
        return heldin, {}
    wanted = {TEST_TARGETS[0]: True}
    wanted |= dict.fromkeys(TEST_TARGETS[1:], train.counts.shape[1] > train.n_window_bins)
    wanted |= {TEST_BEHAVIOR: BEHAVIOR[0] in scored, TEST_DECODERS: DECODERS[0] in scored}
    wanted |= dict.fromkeys(TEST_PRODUCED, INTERVALS in scored)
    for name, is_wanted in wanted.items():
        if is_wanted != (name in given):
            problem = "lacks" if is_wanted else "has no such array for train, but has"
            remedy = "add it" if is_wanted else "remove it, or add the array for train and eval"
            raise DataError(f"{path} {problem} {name}: {remedy}, or give {TEST_HELDIN} alone, without targets")
    test = _split(path, arrays, "test")
    if test.counts.shape[1:] != train.counts.shape[1:] or test.n_heldin != train.n_heldin:
        raise DataError(
            f"{path}: train has {_sizes(train)}, but test has {_sizes(test)}: both must have the same bins and neurons"
        )
    targets = spike_targets(test)
    for name, checked in ((TEST_BEHAVIOR, _behavior), (TEST_DECODERS, _decoders)):
        if name in given:
            of_val = name.replace("test", "eval", 1)
            targets[of_val] = found = checked(path, name, arrays[name], test)
            if found.shape[-1] != scored[of_val].shape[-1]:
                raise DataError(
                    f"{path}: {name} has {found.shape[-1]} columns, but {of_val} has {scored[of_val].shape[-1]}: "
                    "both must have the same"
                )
            of_train = name.replace("test", "train", 1)
            targets[of_train] = np.concatenate([scored[of_train], scored[of_val]])
    if INTERVALS in scored:
        targets |= array_intervals(path, arrays, "test", test)
    return np.ascontiguousarray(test.heldin), targets


def _split(path: Path, arrays: Mapping[str, Any], prefix: str) -> Split:
    parts = {
        (kind, ending): f"{prefix}_spikes_{kind}{ending}"
        for ending in ("", "_forward")
        for kind in ("heldin", "heldout")
        if f"{prefix}_spikes_{kind}{ending}" in arrays
    }
    shapes = {part: check_counts(path, name, arrays[name]) for part, name in parts.items()}
    for (kind, ending), (n_trials, n_bins, n_neurons) in shapes.items():
        expected = (shapes["heldin", ""][0], shapes["heldin", ending][1], shapes[kind, ""][2])
        if (n_trials, n_bins, n_neurons) != expected:
            raise DataError(
                f"{path}: {parts[kind, ending]} has the shape {(n_trials, n_bins, n_neurons)}, but the other arrays "
                f"require {expected}: trials x bins x neurons"
            )
    n_trials, n_window_bins, n_heldin = shapes["heldin", ""]
    n_forward_bins = shapes.get(("heldin", "_forward"), (0, 0, 0))[1]
    counts = np.empty((n_trials, n_window_bins + n_forward_bins, n_heldin + shapes["heldout", ""][2]), np.uint8)
    bins = {"": slice(n_window_bins), "_forward": slice(n_window_bins, None)}
    neurons = {"heldin": slice(n_heldin), "heldout": slice(n_heldin, None)}
    for (kind, ending), name in parts.items():
        fill(counts[:, bins[ending], neurons[kind]], path, name, arrays[name])
    return Split(counts, n_window_bins, n_heldin)


def _sizes(split: Split) -> str:
    n_bins, n_neurons = split.counts.shape[1:]
    return (
        f"{split.n_window_bins} + {n_bins - split.n_window_bins} bins and {split.n_heldin} + "
        f"{n_neurons - split.n_heldin} neurons"
    )


def _scored(path: Path, arrays: Mapping[str, Any], train: Split, val: Split) -> dict[str, Array]:
    """Targets other than spikes: behaviour, decode masks, trial averages and produced intervals."""

    def both(names: tuple[str, str], checked: Callable[[Path, str, Any, Split], Array]) -> dict[str, Array]:
        found = [checked(path, name, arrays[name], split) for name, split in zip(names, (train, val), strict=True)]
        columns = [array.shape[-1] for array in found]
        if columns[0] != columns[1]:
            raise DataError(
                f"{path}: {names[0]} has {columns[0]} columns, but {names[1]} has {columns[1]}: both must have the same"
            )
        return dict(zip(names, found, strict=True))

    targets: dict[str, Array] = {}
    if BEHAVIOR[0] in arrays:
        targets |= both(BEHAVIOR, _behavior)
    if DECODERS[0] in arrays:
        if not targets:
            raise DataError(f"{path} has {DECODERS[0]} but no {BEHAVIOR[0]}: add the behaviour to decode")
        targets |= both(DECODERS, _decoders)
    if AVERAGES[0] in arrays:
        targets |= _averages(path, arrays, val)
    if INTERVALS in arrays:
        targets |= array_intervals(path, arrays, "eval", val)
    return targets


def _behavior(path: Path, name: str, behavior: Any, split: Split) -> Array:
    found = np.asarray(behavior, float)
    if found.ndim != 3 or found.shape[:2] != split.heldin.shape[:2] or found.shape[2] == 0:
        raise DataError(
            f"{path}: {name} has the shape {found.shape}, but the spikes require {split.heldin.shape[:2]} x "
            "dimensions: trials x bins of the window x dimensions"
        )
    _check_known(path, name, found, "dimensions, then it is not decoded")
    return found


def _check_known(path: Path, name: str, values: Array, columns: str) -> None:
    """Raises DataError unless each bin is finite in all columns or NaN in all columns, and some bins are finite."""
    known = ~np.isnan(values).all(axis=-1)
    if not known.any():
        raise DataError(f"{path}: {name} is NaN in all bins: leave it out")
    if not np.isfinite(values[known]).all():
        raise DataError(f"{path}: {name} is not finite: a bin may be NaN only in all {columns}")


def _decoders(path: Path, name: str, mask: Any, split: Split) -> Array:
    found = np.asarray(mask)
    if found.ndim != 2 or len(found) != split.n_trials or not np.isin(found, (0, 1)).all():
        raise DataError(
            f"{path}: {name} must be boolean and have the shape ({split.n_trials}, decoders), but it is {found.dtype} "
            f"of the shape {found.shape}"
        )
    return found.astype(bool)


def _averages(path: Path, arrays: Mapping[str, Any], val: Split) -> dict[str, Array]:
    psth = np.asarray(arrays["psth"], float)
    members = [_trials(path, trials) for trials in arrays[CONDITIONS]]
    expected = (len(members), val.n_window_bins, val.counts.shape[2])
    if psth.shape != expected:
        raise DataError(
            f"{path}: psth has the shape {psth.shape}, but {CONDITIONS} and the spikes require {expected}: conditions "
            "x bins of the window x neurons"
        )
    outside = [trial for trials in members for trial in trials if not 0 <= trial < val.n_trials]
    if outside:
        every = np.concatenate([np.ravel(trials) for trials in members])
        from_one = ", are they counted from 1?" if every.min() == 1 and every.max() == val.n_trials else ""
        raise DataError(
            f"{path}: {CONDITIONS} has trial {outside[0]}, but val has trials 0 to {val.n_trials - 1}{from_one}"
        )
    _check_known(path, "psth", psth, "neurons, then it is not compared")
    averages: dict[str, Array] = {"psth": psth, CONDITIONS: ragged(members)}
    if JITTER in arrays:
        averages[JITTER] = jitter = _jitter(path, np.asarray(arrays[JITTER]), val)
        _check_within(path, psth, members, jitter)
    return averages


def _trials(path: Path, trials: Any) -> Array:
    found = np.asarray(trials)
    if found.ndim != 1 or (found.size and found.dtype.kind not in "iu"):
        raise DataError(f"{path}: {CONDITIONS} must list the trial numbers of each condition, not {trials}")
    return found.astype(int)


def _check_within(path: Path, psth: Array, members: list[Array], jitter: Array) -> None:
    """Raises DataError if an average has a bin that is outside the delayed window of one of its trials."""
    bins = np.arange(psth.shape[1])
    for average, trials in zip(psth, members, strict=True):
        known = ~np.isnan(average[:, 0])
        for trial in trials:
            if (known & ((bins < jitter[trial]) | (bins >= len(bins) + jitter[trial]))).any():
                raise DataError(
                    f"{path}: the window of val trial {trial} is delayed by {jitter[trial]} bins ({JITTER}) and lacks "
                    "bins of its average: set these bins of psth to NaN"
                )


def _jitter(path: Path, jitter: Array, val: Split) -> Array:
    if jitter.shape != (val.n_trials,) or jitter.dtype.kind not in "iu" or (abs(jitter) >= val.n_window_bins).any():
        raise DataError(
            f"{path}: {JITTER} must be an integer number of bins, shorter than the window, for each val trial"
        )
    return jitter


def ragged(members: Sequence[Array]) -> Array:
    """An object array of arrays, which may differ in length."""
    array = np.empty(len(members), dtype=object)
    for index, member in enumerate(members):
        array[index] = member
    return array
