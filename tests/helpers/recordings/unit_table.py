"""Unit tables of NWB files whose spike times are one array: of a list, pynwb checks every single spike."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from pynwb import NWBFile
from pynwb.core import VectorData, VectorIndex
from pynwb.misc import Units


def add_unit_table(nwb: NWBFile, spikes: Sequence[npt.NDArray[np.float64]], ids: Sequence[int]) -> None:
    """Add a unit table with the spike times of each unit, in seconds. More columns can be added to it."""
    times = VectorData(name="spike_times", description="in seconds", data=np.concatenate(spikes))
    ends = np.cumsum([len(of_unit) for of_unit in spikes])
    index = VectorIndex(name="spike_times_index", data=ends, target=times)
    nwb.units = Units(name="units", description="sorted units", id=list(ids), columns=[times, index])
