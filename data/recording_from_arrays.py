"""Making a recording from arrays in Python."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nlb_search.data.errors import DataError
from nlb_search.data.own.recording_settings import RecordingSettings
from nlb_search.data.own.source import OwnRecording
from nlb_search.data.preparing.cache import cache_folder, open_or_prepare
from nlb_search.data.recording import Recording


def from_arrays(
    path: Path | str,
    arrays: Mapping[str, npt.ArrayLike],
    *,
    bin_ms: int = 5,
    name: str | None = None,
    cache: Path | None = None,
) -> Recording:
    """Write arrays to an HDF5 file that ``--data`` accepts, and open it as a recording.

    ``arrays`` maps nlb_tools' names to arrays. ``train_spikes_heldin``, ``train_spikes_heldout``,
    ``eval_spikes_heldin`` and ``eval_spikes_heldout`` are required: spikes per bin of ``bin_ms``, trials x bins x
    neurons, where eval is val. ``data.own.arrays.nlb_arrays`` lists the optional arrays. ``name`` is the name of the
    recording, by default that of the file without its suffix.

    Raises DataError if the arrays are not a valid recording, or if ``path`` cannot be written or exists and holds
    something else. If the arrays are not valid, nothing is written.
    """
    # Imported here: opening a prepared recording imports ``nlb_search.data``, but does not need HDF5.
    from nlb_search.data.own.arrays.nlb_arrays import NAMES, tensors_of_arrays

    path = Path(path)
    source = OwnRecording(name or path.stem, path, bin_ms, RecordingSettings())
    given = {key: _array(path, key, value) for key, value in arrays.items()}
    for key in given:
        if key not in NAMES:
            raise DataError(f"unknown array '{key}': choose from {', '.join(NAMES)}")
    _check_replaceable(path)
    tensors_of_arrays(path, given)
    _write(path, given)
    return open_or_prepare(source, cache or cache_folder())


def _array(path: Path, name: str, value: Any) -> npt.NDArray[Any]:
    from nlb_search.data.own.arrays.nlb_arrays import CONDITIONS, ragged

    if np.ma.is_masked(value):
        raise DataError(f"{path}: {name} is masked in places: leave out the trials or neurons that are not known")
    try:
        return ragged([np.asarray(trials) for trials in value]) if name == CONDITIONS else np.asarray(value)
    except TypeError as error:
        raise DataError(f"{path}: {name} must list the trial numbers of each condition, not {value}") from error
    except ValueError as error:
        raise DataError(
            f"{path}: {name} is ragged, but all trials must have the same number of bins: truncate them to the "
            "shortest trial, or leave out trials that are much shorter than the rest"
        ) from error


def _check_replaceable(path: Path) -> None:
    """Raises DataError if the file exists and does not hold arrays by nlb_tools' names."""
    from nlb_search.data.hdf5_file import opened
    from nlb_search.data.own.file_format import format_of

    if path.exists():
        try:
            with opened(path) as file:
                kind = format_of(path, file).kind
        except DataError:
            kind = None
        if kind != "nlb":
            raise DataError(
                f"{path} exists and does not hold such arrays, so it is not overwritten: choose another file name"
            )


def _write(path: Path, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
    import h5py

    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with h5py.File(temporary, "w") as file:
            for name, values in arrays.items():
                if values.dtype == object:
                    file.create_dataset(name, data=values, dtype=h5py.vlen_dtype(int))
                else:
                    data = values.astype(np.uint8) if "_spikes_" in name else values
                    file.create_dataset(name, data=data, compression="gzip")
        temporary.replace(path)
    except OSError as error:
        raise DataError(f"{path} cannot be written ({_reason(error)}): choose another file name") from error
    finally:
        temporary.unlink(missing_ok=True)


def _reason(error: OSError) -> str:
    """Why a file cannot be written, without the internals in h5py's message."""
    return os.strerror(error.errno) if error.errno else str(error)
