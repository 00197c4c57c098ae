"""Arrays in MATLAB's .mat files: v5 to v7.2 by SciPy, and v7.3, which is HDF5.

MATLAB has no vectors, drops an axis of length 1 at the end, stores arrays of different sizes as cells, and often keeps
all variables as the fields of a struct.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from nlb_search.data.errors import DataError
from nlb_search.data.hdf5_file import check_in_file, opened
from nlb_search.data.own.arrays.lfads_arrays import TEST_ENCOD, TEST_RECON
from nlb_search.data.own.arrays.nlb_arrays import BEHAVIOR, CONDITIONS, JITTER, NAMES, TEST_BEHAVIOR, ragged
from nlb_search.data.own.file_format import LFADS_SPIKES, NLB_SPIKES
from nlb_search.data.source import Array

_SPIKES = (*NLB_SPIKES, *LFADS_SPIKES)
_KNOWN = (*NAMES, *LFADS_SPIKES, TEST_ENCOD, TEST_RECON)


def arrays_of_mat_5(path: Path) -> dict[str, Array]:
    """The arrays of a file of v5 to v7.2. Raises DataError if one that is needed cannot be read."""
    from scipy.io import loadmat  # imported here: importing it takes half a second

    variables = {name: value for name, value in loadmat(path).items() if not name.startswith("__")}
    structs = {name: value for name, value in variables.items() if _is_struct(value) and value.size == 1}
    struct = _with_recording(path, variables, {name: value.dtype.names for name, value in structs.items()})
    if struct is not None:
        variables = {field: structs[struct][field].item() for field in structs[struct].dtype.names}
    return {name: _array(path, name, value) for name, value in variables.items() if _is_read(path, name, value)}


def arrays_of_mat_73(path: Path) -> dict[str, Array]:
    """The arrays of an HDF5 file of MATLAB, whose axes are in the reverse order.

    Raises DataError if one that is needed cannot be read, or is a link to another file.
    """
    with opened(path) as file:
        check_in_file(path, file, "")
        structs = {name: item for name, item in file.items() if isinstance(item, h5py.Group) and name[0] != "#"}
        struct = _with_recording(path, file, {name: tuple(group) for name, group in structs.items()})
        variables = file if struct is None else structs[struct]
        check_in_file(path, file, variables.name)
        return {
            name: _array(path, name, _of_hdf5(file, item))
            for name, item in variables.items()
            if not name.startswith("#") and _is_read(path, name, item)
        }


def _is_struct(value: Any) -> bool:
    return isinstance(value, np.ndarray) and value.dtype.names is not None


def _with_recording(path: Path, variables: Iterable[str], structs: Mapping[str, Iterable[str]]) -> str | None:
    """The struct that has the arrays, or None if they are variables of their own. Raises DataError if several have."""
    found = [name for name, fields in structs.items() if set(fields).intersection(_SPIKES)]
    if not found or set(variables).intersection(_SPIKES):
        return None
    if len(found) > 1:
        raise DataError(f"{path} has several recordings, in the structs {', '.join(found)}: give one file for each")
    return found[0]


def _is_read(path: Path, name: str, value: Any) -> bool:
    """Whether a variable is an array. Raises DataError if it is not, but by its name it should be."""
    is_array = isinstance(value, np.ndarray | h5py.Dataset) and not _is_struct(value)
    if not is_array and name in _KNOWN:
        what = "a struct" if _is_struct(value) else "a sparse matrix, or not an array"
        raise DataError(f"{path}: {name} is {what}: store it as a full array")
    return is_array


def _of_hdf5(file: h5py.File, item: h5py.Dataset) -> Array:
    if item.attrs.get("MATLAB_empty"):  # the values are the lengths of the axes
        return np.empty(tuple(int(length) for length in item[()].ravel()))
    if h5py.check_ref_dtype(item.dtype):  # a cell array
        cells = [file[reference] for reference in item[()].ravel()]
        return ragged([_of_hdf5(file, cell) for cell in cells if isinstance(cell, h5py.Dataset)])
    return np.asarray(item[()].T)


def _array(path: Path, name: str, values: Array) -> Array:
    """A variable of MATLAB as the array of this name."""
    if name == CONDITIONS and values.dtype == object:
        return ragged([_integers(path, name, trials) for trials in values.ravel()])
    if name == JITTER:
        return _integers(path, name, values)
    if name in _KNOWN and values.dtype == object:
        return _stacked(path, name, [np.asarray(trial) for trial in values.ravel()])
    if values.ndim == 2 and ("_spikes_" in name or name.endswith("_data") or name in (*BEHAVIOR, TEST_BEHAVIOR)):
        return values[..., None]
    return values


def _stacked(path: Path, name: str, trials: list[Array]) -> Array:
    """The array of a cell with one matrix per trial."""
    shapes = sorted({trial.shape for trial in trials})
    if len(shapes) != 1:
        raise DataError(
            f"{path}: {name} is a cell of matrices of {len(shapes)} sizes, such as {' and '.join(map(str, shapes[:2]))}"
            ": truncate all trials to the shortest, or leave out trials that are much shorter than the rest"
        )
    return np.stack(trials)


def _integers(path: Path, name: str, values: Any) -> Array:
    numbers = np.asarray(values).ravel()
    if not np.array_equal(numbers, np.rint(numbers)):
        raise DataError(f"{path}: {name} must have integers, not {numbers[numbers != np.rint(numbers)][0]:g}")
    return numbers.astype(int)
