"""Arrays in NumPy's .npz files and in MATLAB's .mat files, v5 to v7.3, as nlb_tools' arrays have them."""

from pathlib import Path
from typing import Any

import h5py
import numpy as np

from nlb_search.data.errors import DataError
from nlb_search.data.hdf5_file import opened
from nlb_search.data.own.nlb_arrays import BEHAVIOR, CONDITIONS, JITTER, TEST_BEHAVIOR, ragged
from nlb_search.data.source import Array

_NPZ, _MAT_5, _MAT_73 = b"PK\x03\x04", b"MATLAB 5.0 MAT-file", b"MATLAB 7.3 MAT-file"


def arrays_in(path: Path) -> dict[str, Array] | None:
    """The arrays in a .npz or .mat file by name, or None if the file is of neither kind, whatever its name.

    Raises DataError if it is damaged, or has an array of Python objects.
    """
    try:
        with path.open("rb") as file:
            start = file.read(len(_MAT_5))
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}): check that you may read it") from error
    if start.startswith(_NPZ):
        return _of_npz(path)
    if start == _MAT_5:
        return {name: _of_matlab(path, name, values) for name, values in _of_mat_5(path).items()}
    if start == _MAT_73:
        return {name: _of_matlab(path, name, values) for name, values in _of_mat_73(path).items()}
    return None


def _of_npz(path: Path) -> dict[str, Array]:
    arrays: dict[str, Array] = {}
    try:
        with np.load(path, allow_pickle=False) as file:
            for name in file.files:
                arrays[name] = file[name]
    except ValueError as error:
        missing = next(name for name in file.files if name not in arrays)
        raise DataError(
            f"{path}: {missing} is an array of Python objects, which only pickle can read: write the recording with "
            "nlb_search.data.from_arrays instead"
        ) from error
    return arrays


def _of_mat_5(path: Path) -> dict[str, Any]:
    from scipy.io import loadmat  # imported here: importing it takes half a second

    return {name: values for name, values in loadmat(path).items() if isinstance(values, np.ndarray)}


def _of_mat_73(path: Path) -> dict[str, Any]:
    """The arrays of an HDF5 file of MATLAB, whose axes are in the reverse order."""

    def values(file: h5py.File, item: h5py.Dataset) -> Array:
        if h5py.check_ref_dtype(item.dtype):  # a cell array
            return ragged([file[reference][()] for reference in item[()].ravel()])
        return np.asarray(item[()].T)

    with opened(path) as file:
        return {name: values(file, item) for name, item in file.items() if isinstance(item, h5py.Dataset)}


def _of_matlab(path: Path, name: str, values: Array) -> Array:
    """An array of MATLAB as nlb_tools has it. MATLAB drops an axis of length 1 at the end, and has no vectors."""
    if name == CONDITIONS and values.dtype == object:
        return ragged([_integers(path, name, trials) for trials in values.ravel()])
    if name == JITTER:
        return _integers(path, name, values)
    if values.ndim == 2 and ("_spikes_" in name or name in (*BEHAVIOR, TEST_BEHAVIOR)):
        return values[..., None]
    return values


def _integers(path: Path, name: str, values: Any) -> Array:
    numbers = np.asarray(values).ravel()
    if not np.array_equal(numbers, np.rint(numbers)):
        raise DataError(f"{path}: {name} must have whole numbers, not {numbers[numbers != np.rint(numbers)][0]:g}")
    return numbers.astype(int)
