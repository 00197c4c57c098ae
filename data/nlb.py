"""A recording's tensors, made by nlb_tools from its NWB files: what the benchmark's own code gives, in 8 bits.

nlb_tools 0.0.4 is the reference (https://github.com/neurallatents/nlb_tools); this module decides what it reads,
keeps it quiet, and says in plain words what is wrong with a file that it cannot use.
"""

import contextlib
import copy
import io
import logging
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from nlb_tools.make_tensors import (
    PARAMS,
    make_eval_input_tensors,
    make_eval_target_tensors,
    make_train_input_tensors,
)
from nlb_tools.nwb_interface import NWBDataset

from data.datasets import FORWARD_MS, Dataset
from data.errors import DataError
from data.files import RecordingFiles, read_contents
from data.psth import psth_targets
from data.recording import UNSEEN, Counts, Split
from data.source import Tensors

Array = npt.NDArray[Any]

_log = logging.getLogger(__name__)


def make_tensors(dataset: Dataset, files: RecordingFiles, bin_ms: int) -> Tensors:
    """The tensors of a recording in bins of ``bin_ms``, with nlb_tools' own settings and seed 0.

    Raises DataError for files that do not give whole tensors, whatever went wrong inside.
    """
    with _quiet():
        with _explained(dataset, files.train):
            train = _load_train(dataset, files.train)
            tensors = _train_and_val(dataset, files.train, train, bin_ms)
        if files.test is None:
            return tensors
        heldin_units = list(train.data["spikes"].columns)
        del train  # One file's spikes at a time: those of mc_maze take gigabytes.
        with _explained(dataset, files.test):
            test = _load_test(dataset, files.test, heldin_units)
            splits = {**tensors.splits, "test": _test(dataset, files.test, test, bin_ms)}
    return Tensors(splits, tensors.targets)


def _load_train(dataset: Dataset, path: Path) -> Any:
    contents = read_contents(path)
    contents.check_train(dataset)
    nwb = _load(path, contents.series - {dataset.behavior})
    signals = nwb.data.columns.get_level_values(0)
    for spikes, kind in (("spikes", "held-in"), ("heldout_spikes", "held-out")):
        if spikes not in signals:
            raise DataError(f"{path} has no {kind} units: its unit column 'heldout' must have both true and false")
    if dataset.behavior is not None and dataset.behavior not in signals:
        raise DataError(
            f"{path}: time series '{dataset.behavior}' is not sampled at whole milliseconds within the recording, so "
            f"nlb_tools drops it: resample it to 1000 Hz"
        )
    _check_splits(path, nwb, "train", "val")
    return nwb


def _load_test(dataset: Dataset, path: Path, heldin_units: list[int]) -> Any:
    contents = read_contents(path)
    contents.check_test(dataset)
    nwb = _load(path, contents.series)
    _check_splits(path, nwb, "test")
    units = list(nwb.data["spikes"].columns) if "spikes" in nwb.data else []
    if len(units) != len(heldin_units):
        raise DataError(
            f"{path} has {len(units)} held-in units, but the training file has {len(heldin_units)}: "
            f"both must be of one recording"
        )
    if units != heldin_units:
        _log.warning("%s numbers its held-in units otherwise than the training file: taken in their order", path)
    return nwb


def _load(path: Path, skipped_series: frozenset[str]) -> Any:
    # As text: nlb_tools leaves the file open when it is given a Path.
    nwb = NWBDataset(str(path), skip_fields=list(skipped_series))
    # nlb_tools takes a trial's id for its row, so another numbering would pair trials with others' behaviour.
    nwb.trial_info["trial_id"] = np.arange(len(nwb.trial_info))
    return nwb


def _check_splits(path: Path, nwb: Any, *splits: str) -> None:
    for split in splits:
        if not (nwb.trial_info.split == split).any():
            found = ", ".join(sorted({str(name) for name in nwb.trial_info.split}))
            raise DataError(f"{path} has no trial whose split is '{split}', only: {found or 'no trials at all'}")


def _train_and_val(dataset: Dataset, path: Path, nwb: Any, bin_ms: int) -> Tensors:
    name = dataset.name
    window = PARAMS[name]["make_params"]
    end_ms = dataset.window_ms[1]
    forward = {**window, "align_range": (end_ms, end_ms + FORWARD_MS), "allow_overlap": True}
    # A copy: nlb_tools resamples in place.
    milliseconds = nwb.data.copy()
    nwb.resample(bin_ms)
    with _cut_trials_named(path, nwb, ["train", "val"], window, forward):
        inputs: dict[str, Any] = {"save_file": False, "include_forward_pred": True}
        train = make_train_input_tensors(nwb, name, "train", **inputs)
        train_val = make_train_input_tensors(nwb, name, ["train", "val"], **inputs)
        val = make_eval_input_tensors(nwb, name, "val", save_file=False)
        (targets,) = make_eval_target_tensors(nwb, name, "train", "val", save_file=False).values()
        splits = {
            "train": _split_with_targets(path, train, "train"),
            "train_val": _split_with_targets(path, train_val, "train"),
            # Held-out counts are the targets': they leave out what the benchmark does not score.
            "val": _split_with_targets(path, {**val, **targets}, "eval"),
        }
        n_train, n_val = (int((nwb.trial_info.split == split).sum()) for split in ("train", "val"))
        _check_shape(dataset, bin_ms, splits["train"], n_train)
        _check_shape(dataset, bin_ms, splits["train_val"], n_train + n_val)
        _check_shape(dataset, bin_ms, splits["val"], n_val)
    train_trials, val_trials = (nwb.trial_info.split == split for split in ("train", "val"))
    averages = psth_targets(nwb, milliseconds, name, train_trials, val_trials)
    return Tensors(splits, {**targets, **averages})


def _test(dataset: Dataset, path: Path, nwb: Any, bin_ms: int) -> Split:
    nwb.resample(bin_ms)
    window = {**PARAMS[dataset.name]["make_params"], "allow_nans": True}
    with _cut_trials_named(path, nwb, ["test"], window):
        tensors = make_eval_input_tensors(nwb, dataset.name, "test", save_file=False)
        heldin = _counts(path, tensors["eval_spikes_heldin"])
        split = Split(heldin, n_window_bins=heldin.shape[1], n_heldin=heldin.shape[2])
        _check_shape(dataset, bin_ms, split, int((nwb.trial_info.split == "test").sum()))
    return split


def _split_with_targets(path: Path, tensors: dict[str, Array], prefix: str) -> Split:
    heldin, heldout, heldin_forward, heldout_forward = (
        _counts(path, tensors[f"{prefix}_spikes_{part}"])
        for part in ("heldin", "heldout", "heldin_forward", "heldout_forward")
    )
    counts = np.block([[heldin, heldout], [heldin_forward, heldout_forward]])
    return Split(counts, n_window_bins=heldin.shape[1], n_heldin=heldin.shape[2])


def _counts(path: Path, spikes: Array) -> Counts:
    """The counts in 8 bits. nlb_tools' 16-bit floats hold every count that fits exactly."""
    seen = ~np.isnan(spikes)
    counts = np.where(seen, spikes, 0)
    odd = counts[(counts < 0) | (counts >= UNSEEN) | (counts != np.rint(counts))]
    if odd.size:
        raise DataError(
            f"{path}: a bin holds {odd[0]:g} spikes, where whole numbers up to {UNSEEN - 1} are taken: "
            f"check the spike times of its units"
        )
    return np.where(seen, counts, UNSEEN).astype(np.uint8)


def _check_shape(dataset: Dataset, bin_ms: int, split: Split, n_trials: int) -> None:
    """Raises ValueError where nlb_tools left out trials, or cut all of them alike."""
    n_forward_bins = FORWARD_MS // bin_ms if split.has_targets else 0
    expected = (n_trials, dataset.window_length_ms // bin_ms, n_forward_bins)
    found = (split.n_trials, split.n_window_bins, split.counts.shape[1] - split.n_window_bins)
    if found != expected:
        raise ValueError(f"{found} trials, window and forward bins, not {expected}")


@contextlib.contextmanager
def _cut_trials_named(path: Path, nwb: Any, splits: list[str], *parts: dict[str, Any]) -> Iterator[None]:
    """If nlb_tools fails, look for trials that lack a part, which is what fails it most, and name them."""
    try:
        yield
    except Exception as error:
        cut = _cut_trials(nwb, nwb.trial_info.split.isin(splits), parts)
        if not cut:
            raise
        rows = ", ".join(map(str, cut[:5])) + (", ..." if len(cut) > 5 else "")
        raise DataError(
            f"{path}: trials in rows {rows} of the trial table (from 0) are not whole: a time is missing, or "
            f"their bins reach into the next trial, into unobserved time or past the end\n"
            f"give such trials the split 'none'"
        ) from error


def _cut_trials(nwb: Any, included: "pd.Series[bool]", parts: tuple[dict[str, Any], ...]) -> list[int]:
    """Rows of included trials that lack a time, or a bin of one of the parts that are read."""
    times = {"start_time", "set_time", "tp", *(part["align_field"] for part in parts)}
    whole = nwb.trial_info.loc[included, sorted(times & set(nwb.trial_info))].notna().all(axis=1)
    # nlb_tools itself cuts the trials again, of one column that tells where every signal is there.
    probe = copy.copy(nwb)
    seen = np.where(nwb.data.notna().all(axis=1), 0.0, np.nan)
    probe.data = pd.DataFrame({("seen", "0"): seen}, index=nwb.data.index)
    for part in parts:
        if whole.any():
            ignored = ~nwb.trial_info.index.isin(whole.index[whole])
            n_bins = probe.make_trial_data(ignored_trials=ignored, **part).groupby("trial_id").size()
            start_ms, end_ms = part["align_range"]
            whole &= n_bins.reindex(whole.index, fill_value=0) == (end_ms - start_ms) // nwb.bin_width
    return list(whole.index[~whole])


@contextlib.contextmanager
def _explained(dataset: Dataset, path: Path) -> Iterator[None]:
    """Any failure as a DataError: nlb_tools and pynwb have many ways to fail on a file that is not as they expect."""
    try:
        yield
    except DataError:
        raise
    except MemoryError as error:
        raise DataError(
            f"not enough memory to prepare {path}: give it more, or prepare it elsewhere with the same NLB_SEARCH_CACHE"
        ) from error
    except Exception as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else "no reason given"
        raise DataError(
            f"{path} cannot be read as a recording of {dataset.name} ({type(error).__name__}: {reason})\n"
            f"compare its tables with those of the benchmark's own file, or fetch it again"
        ) from error


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Let nlb_tools neither print nor log nor warn, nor leave numpy's global generator where it seeded it."""
    logger = logging.getLogger("nlb_tools")
    level, state = logger.level, np.random.get_state()
    logger.setLevel(logging.CRITICAL)
    try:
        with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
        np.random.set_state(state)
