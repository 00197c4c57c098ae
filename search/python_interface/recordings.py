"""Opening recordings from Python."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy.typing as npt

from nlb_search.data import opening, recording_from_arrays
from nlb_search.data.datasets import DATASETS
from nlb_search.data.own.recording_settings import RecordingSettings, checked_settings
from nlb_search.data.recording import Recording
from nlb_search.search.default_locations import DATA, DATA_VARIABLE


@dataclass(frozen=True, eq=False, repr=False)
class OpenedRecording(Recording):
    """A recording and where it was read, so that a study can be created from it.

    ``data`` is the file of your own recording, or the folder with the NWB files of a dataset of the benchmark.
    ``settings`` say how your own recording is read, and are None for a dataset of the benchmark.

    The counts are in ``train``, ``val``, ``train_val`` and, if there are test trials, ``test``. For example,
    ``train.heldin`` has spikes per bin, trials x window bins x held-in neurons. They are memory-mapped and read-only.
    """

    data: Path
    settings: RecordingSettings | None

    def __repr__(self) -> str:
        test = "no" if self.test is None else self.test.n_trials
        return (
            f"{self.name}: {self.n_heldin} held-in and {self.n_heldout} held-out neurons, {self.n_window_bins} + "
            f"{self.n_forward_bins} forward bins of {self.bin_ms} ms, {self.train.n_trials} train, "
            f"{self.val.n_trials} val and {test} test trials"
        )


def open_recording(name: str, data: Path | str | None = None, bin_ms: int = 5, **settings: Any) -> OpenedRecording:
    """Open a dataset of the benchmark, or your own recording.

    ``name`` is one of the benchmark's datasets, such as ``mc_rtt``, or a name for your own recording. ``data`` is the
    folder with the dataset's NWB files, by default ``$NLB_SEARCH_DATA`` or ``nlb-data``, or the file of your own
    recording. ``bin_ms`` is the bin width in ms. ``settings`` say how your own recording is read, by the names of a
    settings file, for example ``align="go_cue", window_ms=(-200, 500)`` (docs/recordings.md lists them).

    Raises DataError if the dataset, the bin width or a setting is unknown, or if files are missing or damaged.
    """
    place = Path(data if data is not None else os.environ.get(DATA_VARIABLE, DATA))
    chosen = checked_settings(settings, "open_recording") if settings or name not in DATASETS else None
    # For a dataset of the benchmark, settings are passed on, so that they are rejected.
    return _opened(opening.open_recording(name, place, bin_ms, settings=chosen), place, chosen)


def from_arrays(
    path: Path | str, arrays: Mapping[str, npt.ArrayLike], bin_ms: int = 5, name: str | None = None
) -> OpenedRecording:
    """Write spike counts to an HDF5 file, which workers can read, and open it as a recording.

    ``arrays`` has ``train_spikes_heldin``, ``train_spikes_heldout``, ``eval_spikes_heldin`` and
    ``eval_spikes_heldout``, where eval is val: spikes per bin of ``bin_ms`` ms, trials x bins x neurons. Arrays of
    forward bins, behaviour and trial averages are optional (docs/recordings.md). ``name`` is the name of the recording,
    by default that of the file without its suffix.

    Raises DataError if the arrays are not a valid recording; then nothing is written.
    """
    recording = recording_from_arrays.from_arrays(path, arrays, bin_ms=bin_ms, name=name)
    return _opened(recording, Path(path), RecordingSettings())


def _opened(recording: Recording, data: Path, settings: RecordingSettings | None) -> OpenedRecording:
    return OpenedRecording(**vars(recording), data=data, settings=settings)
