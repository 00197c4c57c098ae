"""A recording made of arrays, from Python."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nlb_search.data.errors import DataError
from nlb_search.data.own.settings import RecordingSettings
from nlb_search.data.own.source import OwnRecording
from nlb_search.data.preparing.cache import cache_folder, open_source
from nlb_search.data.recording import Recording


def from_arrays(
    path: Path | str,
    arrays: Mapping[str, npt.ArrayLike],
    *,
    bin_ms: int = 5,
    name: str | None = None,
    cache: Path | None = None,
) -> Recording:
    """Write arrays as a file that ``--data`` reads, and open the recording that they are.

    ``arrays`` go by nlb_tools' names: ``train_spikes_heldin``, ``train_spikes_heldout``, ``eval_spikes_heldin`` and
    ``eval_spikes_heldout`` are spikes per bin of ``bin_ms``, trials x bins x neurons, eval being val;
    ``data.own.nlb_arrays`` lists what else there may be. ``name`` is the recording's, unless told that of the file.

    Raises DataError, and writes nothing, for arrays that are no recording, with what is wrong and where.
    """
    # Imported here: whoever opens a prepared recording imports ``nlb_search.data``, and needs no HDF5.
    from nlb_search.data.own.nlb_arrays import NAMES, tensors_of_arrays

    path = Path(path)
    source = OwnRecording(name or path.stem, path, bin_ms, RecordingSettings())
    given = {key: _array(path, key, value) for key, value in arrays.items()}
    for key in given:
        if key not in NAMES:
            raise DataError(f"'{key}' is no array of a recording: choose from {', '.join(NAMES)}")
    _check_replaceable(path)
    tensors_of_arrays(path, given)
    _write(path, given)
    return open_source(source, cache or cache_folder())


def _array(path: Path, name: str, value: Any) -> npt.NDArray[Any]:
    from nlb_search.data.own.nlb_arrays import CONDITIONS, ragged

    try:
        return ragged([np.asarray(trials) for trials in value]) if name == CONDITIONS else np.asarray(value)
    except TypeError as error:
        raise DataError(f"{path}: {name} must list the trials of each condition, not {value}") from error
    except ValueError as error:
        raise DataError(
            f"{path}: {name} is ragged, and all trials must have as many bins: cut them to the shortest, or leave "
            "those out that are much shorter than the rest"
        ) from error


def _check_replaceable(path: Path) -> None:
    """Raises DataError for a file that is there and is not of this kind."""
    from nlb_search.data.own.layout import layout_of, opened

    if path.exists():
        try:
            with opened(path) as file:
                kind = layout_of(path, file).kind
        except DataError:
            kind = None
        if kind != "nlb":
            raise DataError(f"{path} exists and holds no such arrays, so it is not overwritten: name another file")


def _write(path: Path, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
    import h5py

    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with h5py.File(beside, "w") as file:
            for name, values in arrays.items():
                if values.dtype == object:
                    file.create_dataset(name, data=values, dtype=h5py.vlen_dtype(int))
                else:
                    kept = values.astype(np.uint8) if "_spikes_" in name else values
                    file.create_dataset(name, data=kept, compression="gzip")
        beside.replace(path)
    except OSError as error:
        raise DataError(f"{path} cannot be written ({_reason(error)}): name another file") from error
    finally:
        beside.unlink(missing_ok=True)


def _reason(error: OSError) -> str:
    """Why a file cannot be written, without what h5py says of its own inside."""
    return os.strerror(error.errno) if error.errno else str(error)
