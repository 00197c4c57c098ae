"""Which units and trials of its file the neurons and trials of a recording are.

A recording numbers neurons held-in first and trials by split. Here are the ids and rows by which they are known in the
file.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import h5py
import numpy as np

from nlb_search.data.dataset_files import RecordingFiles, find_files
from nlb_search.data.datasets import DATASETS
from nlb_search.data.hdf5_file import opened
from nlb_search.data.own.arrays.lfads_arrays import heldout_channels
from nlb_search.data.own.recording_file import Tables, opened_recording
from nlb_search.data.own.recording_settings import RecordingSettings
from nlb_search.data.own.sessions.pooled_sessions import planned_sessions, rows_of, train_val_order
from nlb_search.data.recording import Recording


@dataclass(frozen=True)
class Identities:
    """The neurons and trials of a recording, as they are called in its file.

    ``units`` says what ``heldin`` and ``heldout`` are: ids of the unit table of an NWB file, or indices from 0 of
    the channels of an array (for arrays by nlb_tools' names, of the held-in or the held-out array). ``trials`` maps
    each split to rows in the trial table (for test trials of the benchmark, that of the test file; for several
    sessions, counted through all tables), or to indices in the split's array. ``train_val`` has the rows of train and
    val together, by time; it is empty for arrays. All are in the order of the tensors. ``sessions`` has the number of
    trials of train and val in each session, by the name of its file, if there are several.
    """

    units: Literal["ids of the unit table", "channels of the arrays"]
    heldin: tuple[int, ...]
    heldout: tuple[int, ...]
    rows: Literal["rows of the trial table", "windows by time", "indices in the arrays"]
    trials: dict[str, tuple[int, ...]]
    train_val: tuple[int, ...] = ()
    sessions: dict[str, int] = field(default_factory=dict)


def identities_of(recording: Recording, data: Path, settings: RecordingSettings | None) -> Identities:
    """Identify the neurons and trials of a recording, which was opened from ``data`` with ``settings``.

    Raises DataError if a file cannot be read.
    """
    if recording.name in DATASETS:
        return _of_benchmark(find_files(DATASETS[recording.name], data))
    return _of_own(recording, data, settings or RecordingSettings())


def _of_benchmark(files: RecordingFiles) -> Identities:
    """As in nlb_tools, held-in and held-out neurons are sorted by id, and the trials of a split by row.

    Only these columns are read, which takes milliseconds.
    """
    with opened(files.train) as file:
        ids, is_heldout = file["units/id"][()], file["units/heldout"][()]
        splits = file["intervals/trials/split"].asstr()[()]
    trials = {name: np.flatnonzero(splits == name) for name in ("train", "val")}
    if files.test is not None:
        with opened(files.test) as file:
            trials["test"] = np.flatnonzero(file["intervals/trials/split"].asstr()[()] == "test")
    return Identities(
        units="ids of the unit table",
        heldin=_numbers(np.sort(ids[~is_heldout])),
        heldout=_numbers(np.sort(ids[is_heldout])),
        rows="rows of the trial table",
        trials={name: _numbers(rows) for name, rows in trials.items()},
        train_val=_numbers(np.sort(np.concatenate([trials["train"], trials["val"]]))),
    )


def _of_own(recording: Recording, path: Path, settings: RecordingSettings) -> Identities:
    with opened_recording(path, settings) as source:
        if isinstance(source, Tables):
            return _of_tables(recording, path, source.file, settings)
        encoded = source.arrays["train_encod_data"] if source.kind == "lfads" else None
        n_channels = None if encoded is None else int(encoded.shape[2])
    heldin, heldout = np.arange(recording.n_heldin), np.arange(recording.n_heldout)
    if n_channels is not None:
        heldout = recording.n_heldin + heldout
        if n_channels == recording.n_heldin + recording.n_heldout:  # no channels that only recon has: a random fraction
            heldout = heldout_channels(path, n_channels, settings)
            heldin = np.setdiff1d(np.arange(n_channels), heldout)
    splits = {"train": recording.train, "val": recording.val, "test": recording.test}
    return Identities(
        units="channels of the arrays",
        heldin=_numbers(heldin),
        heldout=_numbers(heldout),
        rows="indices in the arrays",
        trials={name: tuple(range(split.n_trials)) for name, split in splits.items() if split is not None},
    )


def _of_tables(recording: Recording, path: Path, file: h5py.File, settings: RecordingSettings) -> Identities:
    sessions = list(planned_sessions(path, file, settings, recording.bin_ms))
    rows, order = rows_of(sessions), train_val_order([one.plan for one in sessions])
    session, names = sessions[0].session, (path.name, *settings.more_sessions)
    n_trials = [len(one.plan.rows["train"]) + len(one.plan.rows["val"]) for one in sessions]
    return Identities(
        units="ids of the unit table",
        heldin=_numbers(session.heldin.ids),
        heldout=_numbers(session.heldout.ids),
        rows="rows of the trial table" if settings.cut_ms is None else "windows by time",
        trials={name: _numbers(some) for name, some in rows.items()},
        train_val=_numbers(np.concatenate([rows["train"], rows["val"]])[order]),
        sessions=dict(zip(names, n_trials, strict=True)) if len(sessions) > 1 else {},
    )


def _numbers(values: Any) -> tuple[int, ...]:
    return tuple(np.asarray(values, dtype=np.int64).tolist())
