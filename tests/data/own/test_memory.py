"""Recordings that do not fit into memory are rejected before they are read."""

from pathlib import Path

import h5py
import numpy as np
import pytest

from nlb_search.data.own.file_format import LFADS_SPIKES, NLB_SPIKES
from tests.helpers.recordings.own_nwb import OwnSession
from tests.helpers.recordings.own_recordings import rejection

HUGE = (2_000_000, 10_000, 1_000)


@pytest.mark.parametrize("names", [NLB_SPIKES, LFADS_SPIKES])
def test_arrays(names: tuple[str, ...], tmp_path: Path) -> None:
    path = tmp_path / "arrays.h5"
    with h5py.File(path, "w") as file:
        for name in names:  # chunks that are not written take no space in the file
            file.create_dataset(name, HUGE, np.uint8, chunks=(1, 1000, 1000))
    said = rejection(path)
    assert "preparing 2000000 trials x 10000 bins x 1000 neurons needs " in said
    assert "use wider bins or shorter windows" in said


def test_long_windows_of_spike_times(tmp_path: Path) -> None:
    session = OwnSession(n_trials=3000, shortest_s=0.01)
    window_s = 1000.0
    session.start[2400:] += 2 * window_s  # val, after the windows of train
    session.stop = session.start + window_s
    session.spikes = [np.append(spikes, session.stop[-1] + 1) for spikes in session.spikes]
    said = rejection(session.write(tmp_path / "session.nwb"), 1, window_ms=(0, 1_000_000), forward_ms=0)
    assert "trials x 1000000 bins x 12 neurons needs " in said
