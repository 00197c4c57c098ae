"""Unit tables of NWB files. Their columns are arrays, because pynwb checks every element of a list."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from pynwb import NWBFile
from pynwb.core import VectorData, VectorIndex
from pynwb.misc import Units

Array = npt.NDArray[Any]


def add_unit_table(
    nwb: NWBFile, ids: Sequence[int], spikes: Sequence[Array], observed: Sequence[Array] | None = None
) -> None:
    """Add a unit table, to which more columns can be added. All times are in seconds: those of the spikes of each unit,
    and the intervals x 2 in which it was recorded.
    """
    columns = _ragged("spike_times", spikes)
    if observed is not None:
        columns += _ragged("obs_intervals", observed)
    nwb.units = Units(name="units", description="sorted units", id=list(ids), columns=columns)


def _ragged(name: str, values: Sequence[Array]) -> list[VectorData]:
    column = VectorData(name=name, description="in seconds", data=np.concatenate(values))
    ends = np.cumsum([len(of_unit) for of_unit in values])
    return [column, VectorIndex(name=f"{name}_index", data=ends, target=column)]
