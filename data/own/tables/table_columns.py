"""Columns of NWB tables as readable values: text, numbers, and names of electrode groups."""

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from nlb_search.data.errors import DataError
from nlb_search.data.hdf5_file import check_in_file
from nlb_search.data.own.arrays.nlb_arrays import ragged
from nlb_search.data.own.intervals import BoolArray
from nlb_search.data.own.row_expression import parse_expression
from nlb_search.data.own.wording import listed, names_in

_ELECTRODES = "general/extracellular_ephys/electrodes"


def rows_where(path: Path, file: h5py.File, table: h5py.Group, setting: str, expression: str) -> BoolArray:
    """The rows of a table in which an expression over its columns is true.

    The columns of the electrodes table also count as columns of the unit table: a unit has the values of its first
    electrode. Raises DataError, with the name of the ``setting``, if a column does not exist or cannot be compared.
    """
    parsed = parse_expression(expression)
    check_in_file(path, file, _ELECTRODES)
    electrodes = file[_ELECTRODES] if "electrodes_index" in table and _ELECTRODES in file else {}
    for name in parsed.names:
        if name not in table and name not in electrodes:
            raise DataError(
                f"{path}: {setting} names a column '{name}', which {table.name.strip('/')} does not have: choose one "
                f"of {names_in({*table, *electrodes})}"
            )
    columns = {
        name: column_values(path, file, table, name)
        if name in table
        else _of_electrodes(path, file, table, electrodes, name)
        for name in parsed.names
    }
    try:
        return parsed.rows(columns)
    except ValueError as error:
        raise DataError(f'{path}: {setting} = "{expression}" cannot be evaluated: {error}') from error


def _of_electrodes(
    path: Path, file: h5py.File, units: h5py.Group, electrodes: h5py.Group, name: str
) -> npt.NDArray[Any]:
    rows = values_by_row(path, units, "electrodes", units["electrodes"][()])
    alone = [row for row, several in enumerate(rows) if not len(several)]
    if alone:
        raise DataError(
            f"{path}: units in rows {listed(alone)} of the unit table (from 0) have no electrode, and so no '{name}': "
            "use a column of the unit table"
        )
    return np.asarray(column_values(path, file, electrodes, name)[[several[0] for several in rows]])


def column_values(path: Path, file: h5py.File, table: h5py.Group, name: str) -> npt.NDArray[Any]:
    """The values of a column; an object array of arrays if it has several values per row."""
    values = _flat_values(file, table[name])
    return ragged(values_by_row(path, table, name, values)) if f"{name}_index" in table else values


def values_by_row(path: Path, table: h5py.Group, name: str, values: npt.NDArray[Any]) -> list[npt.NDArray[Any]]:
    """The values of each row of a column with several values per row, of which NWB stores where they end.

    Raises DataError if the column of ends is missing, or does not divide the values.
    """
    where = f"{table.name.strip('/')}/{name}"
    if f"{name}_index" not in table:
        raise DataError(f"{path} has {where} without {name}_index, the end of each row's values: add it")
    ends = table[f"{name}_index"][()]
    whole = ends.ndim == 1 and ends.dtype.kind in "iuf" and bool((ends == np.rint(ends)).all())
    steps = np.diff(np.append(0, ends.astype(np.int64))) if whole else np.array([-1])
    if (steps < 0).any() or steps.sum() != len(values):
        raise DataError(
            f"{path}: {where}_index ({ends.dtype}, up to {ends.max(initial=0):g}) does not divide the {len(values)} "
            f"values of {name}: write where the values of each row end, in order, the last ones at {len(values)}"
        )
    return np.split(values, np.cumsum(steps)[:-1])


def _flat_values(file: h5py.File, column: h5py.Dataset) -> npt.NDArray[Any]:
    if h5py.check_string_dtype(column.dtype):
        return np.asarray(column.asstr()[()], dtype=str)
    if h5py.check_ref_dtype(column.dtype):  # such as electrode_group: the name of the object
        return np.array([file[reference].name.rpartition("/")[2] for reference in column[()]], dtype=str)
    values: npt.NDArray[Any] = column[()]
    if "elements" in column.attrs:  # an enumeration: the values are indices of its elements
        names = np.asarray(file[column.attrs["elements"]].asstr()[()], dtype=str)
        return np.asarray(names[values])
    return values


def add_columns(table: h5py.Group, columns: dict[Any, Any]) -> None:
    """Add columns of a pandas data frame that the table lacks, as text unless they are numbers or booleans."""
    for name, column in columns.items():
        if str(name) in table:
            continue
        if column.dtype.kind in "biuf":
            table[str(name)] = column.to_numpy()
        else:
            texts = column.fillna("").astype(str).to_numpy(dtype=object)
            table.create_dataset(str(name), data=texts, dtype=h5py.string_dtype())
