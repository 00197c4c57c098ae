"""Making a recording from objects of pynapple (https://pynapple.org): spike times, trials and behaviour."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nlb_search.data.errors import DataError
from nlb_search.data.own.recording_settings import checked_settings
from nlb_search.data.own.source import OwnRecording
from nlb_search.data.preparing.cache import cache_folder, open_or_prepare
from nlb_search.data.recording import Recording

if TYPE_CHECKING:
    import h5py

_WRITER = "nlb_search.data.from_pynapple"
"""Attribute ``writer`` of the files that this module writes, and replaces."""


def from_pynapple(
    path: Path | str,
    spikes: Any,
    trials: Any = None,
    *,
    behavior: Any = None,
    bin_ms: int = 5,
    name: str | None = None,
    cache: Path | None = None,
    **settings: Any,
) -> Recording:
    """Write pynapple objects to an HDF5 file that ``--data`` accepts, and open it as a recording.

    ``spikes`` is a ``TsGroup``, ``trials`` an ``IntervalSet`` and ``behavior`` a ``Tsd`` or ``TsdFrame`` to decode.
    Their metadata become columns of the unit table and of the trial table. ``trials`` may be left out with
    ``cut_ms``. ``settings`` are those of ``RecordingSettings``, such as ``align="go_cue", window_ms=(-100, 450)``.
    ``name`` is the name of the recording, by default that of the file without its suffix.

    The file has the tables of an NWB file. Its bytes depend only on the objects, so existing studies accept a rewritten
    file.

    Raises DataError if the objects are of other types or not a valid recording, or if ``path`` cannot be written or
    exists and holds something else. If they are not valid, nothing is written.
    """
    # Imported here: opening a prepared recording imports ``nlb_search.data``, but does not need HDF5.
    from nlb_search.data.own.nwb_file import tensors_of_nwb

    path = Path(path)
    given = {**settings, **({} if behavior is None else {"behavior": "behavior"})}
    source = OwnRecording(name or path.stem, path, bin_ms, checked_settings(given, "settings"))
    _check_replaceable(path)
    with _tables(path, spikes, trials, behavior) as file:
        tensors_of_nwb(path, file, source.settings, bin_ms)
        file.flush()
        _write(path, file.id.get_file_image())
    return open_or_prepare(source, cache or cache_folder())


@contextmanager
def _tables(path: Path, spikes: Any, trials: Any, behavior: Any) -> Iterator["h5py.File"]:
    """The objects as the tables of an NWB file, in memory."""
    import h5py

    from nlb_search.data.own.tables.table_columns import add_columns

    support = _attribute(path, spikes, "time_support", "spikes", "a TsGroup")
    ids = np.asarray(spikes.index)
    with h5py.File(path.name, "w", driver="core", backing_store=False) as file:
        file.attrs["nwb_version"], file.attrs["writer"] = "2", _WRITER
        spikes_s = [np.asarray(spikes[unit].t) for unit in ids]
        table = file.create_group("units")
        table["id"] = ids
        table["spike_times"] = np.concatenate(spikes_s) if spikes_s else np.empty(0)
        table["spike_times_index"] = np.cumsum([len(times) for times in spikes_s], dtype=np.int64)
        spans = np.stack([support.start, support.end], axis=1)
        if not _is_default_support(spans, table["spike_times"][()]):
            table["obs_intervals"] = np.tile(spans, (len(ids), 1))
            table["obs_intervals_index"] = len(spans) * np.arange(1, len(ids) + 1)
        add_columns(table, {column: spikes.get_info(column) for column in spikes.metadata_columns})
        if trials is not None:
            rows = file.create_group("intervals/trials")
            rows["start_time"] = np.asarray(_attribute(path, trials, "start", "trials", "an IntervalSet"))
            rows["stop_time"] = np.asarray(trials.end)
            add_columns(rows, {column: trials.get_info(column) for column in trials.metadata_columns})
        if behavior is not None:
            series = file.create_group("acquisition/behavior")
            series["timestamps"] = np.asarray(_attribute(path, behavior, "t", "behavior", "a Tsd or TsdFrame"))
            series["data"] = np.asarray(_attribute(path, behavior, "values", "behavior", "a Tsd or TsdFrame"))
        yield file


def _is_default_support(spans: Any, times_s: Any) -> bool:
    """Whether the support is that from the first to the last spike, which pynapple assumes if none is given."""
    return len(spans) == 1 and len(times_s) > 0 and tuple(spans[0]) == (times_s.min(), times_s.max())


def _attribute(path: Path, given: Any, name: str, argument: str, expected: str) -> Any:
    try:
        return getattr(given, name)
    except AttributeError as error:
        raise DataError(f"{path}: {argument} must be {expected} of pynapple, not a {type(given).__name__}") from error


def _check_replaceable(path: Path) -> None:
    """Raises DataError if the file exists and was not written by this module."""
    from nlb_search.data.hdf5_file import opened

    if path.exists():
        try:
            with opened(path) as file:
                is_ours = file.attrs.get("writer") == _WRITER
        except DataError:
            is_ours = False
        if not is_ours:
            raise DataError(
                f"{path} exists and was not written from pynapple objects, so it is not overwritten: choose another "
                "file name"
            )


def _write(path: Path, content: bytes) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        temporary.write_bytes(content)
        temporary.replace(path)
    except OSError as error:
        raise DataError(f"{path} cannot be written ({error.strerror}): choose another file name") from error
    finally:
        temporary.unlink(missing_ok=True)
