"""Behaviour that is transposed, ambiguous or without times is rejected for its cause."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from pynwb import NWBHDF5IO, TimeSeries

from nlb_search.data.errors import DataError
from nlb_search.data.own.recording_settings import RecordingSettings
from nlb_search.data.own.source import OwnRecording
from tests.helpers.recordings.own_nwb import OwnSession
from tests.helpers.recordings.own_recordings import opened, rejection


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "session.nwb"


def add_series(path: Path, **series: Any) -> Path:
    """Add time series to the processing module of behaviour."""
    with NWBHDF5IO(path, "a") as io:
        nwb = io.read()
        module = nwb.create_processing_module("behavior", "behaviour")
        for name, values in series.items():
            module.add(TimeSeries(name=name, unit="m", **values))
        io.write(nwb)
    return path


@pytest.mark.parametrize("name", ["processing/behavior/paw", "/processing/behavior/paw", "behavior_paw"])
def test_time_series_of_one_name_are_told_apart_by_path(name: str, file: Path) -> None:
    path = add_series(OwnSession().write(file), paw={"data": np.full(4000, 7.0), "rate": 100.0})
    said = rejection(path, behavior="paw")
    assert "has 2 time series 'paw', acquisition/paw and processing/behavior/paw: set behavior to one of these" in said
    with h5py.File(opened(path, behavior=name).val_targets) as targets:
        np.testing.assert_allclose(targets["mine_10/eval_behavior"], 7.0)


@pytest.mark.parametrize(
    ("times", "says"),
    [
        (
            None,
            "so 2 samples of 4000 dimensions; is it transposed? Its transpose would have 4000 samples of 2",
        ),
        (
            np.arange(4000) / 100,
            "so 2 samples, but 4000 timestamps; is it transposed? Its transpose would have 4000 samples of 2",
        ),
        (np.arange(3000) / 100, "so 2 samples, but 3000 timestamps: store samples in rows"),
    ],
)
def test_transposed_behaviour_is_rejected(times: Any, says: str, file: Path) -> None:
    path = add_series(OwnSession().write(file), vel={"data": np.zeros((2, 4000)), "rate": 100.0})
    if times is not None:  # pynwb does not write them
        with h5py.File(path, "a") as nwb:
            del nwb["processing/behavior/vel/starting_time"]
            nwb["processing/behavior/vel/timestamps"] = times
    said = rejection(path, behavior="vel")
    assert "time series 'processing/behavior/vel' has the shape (2, 4000), " in said
    assert says in said


def shifted_back(series: h5py.Group) -> None:
    times = np.arange(len(series["data"])) / 100
    times[1000:] -= 5
    series["timestamps"] = times


def without_rate(series: h5py.Group) -> None:
    series["starting_time"] = 0.0
    series["starting_time"].attrs["rate"] = 0.0


def in_text(series: h5py.Group) -> None:
    del series["data"]
    series["data"] = np.array([b"left"] * 3000)
    series["timestamps"] = np.arange(3000) / 100


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (shifted_back, "the timestamps of time series 'paw' decrease (from 9.99 s to 5 s after sample 999, from 0)"),
        (
            lambda series: series.create_dataset("timestamps", data=10.0 * np.arange(len(series["data"]))),
            "the timestamps of time series 'paw' go up to 3.62e+04 s, but trials end at ",
        ),
        (without_rate, "time series 'acquisition/paw' has the rate 0.0, not a positive number of samples"),
        (in_text, "time series 'acquisition/paw' has values of the type |S4, not numbers: name another"),
    ],
)
def test_behaviour_that_cannot_be_placed_in_time_is_rejected(
    change: Callable[[h5py.Group], None], says: str, file: Path
) -> None:
    path = OwnSession().write(file)
    with h5py.File(path, "a") as nwb:
        del nwb["acquisition/paw/starting_time"]
        change(nwb["acquisition/paw"])
    assert says in rejection(path, behavior="paw")


def behavior_of(path: Path, change: Callable[[h5py.File], Any]) -> Any:
    with h5py.File(OwnSession().write(path), "a") as file:
        change(file)
    settings = RecordingSettings(behavior="paw", window_ms=(0, 400), forward_ms=0)
    return OwnRecording("mine", path, 10, settings).make().targets["eval_behavior"]


def stored(values: Callable[[Any], Any], **attrs: float) -> Callable[[h5py.File], None]:
    def change(file: h5py.File) -> None:
        found = values(file["acquisition/paw/data"][()])
        del file["acquisition/paw/data"]
        file["acquisition/paw/data"] = found
        file["acquisition/paw/data"].attrs.update(attrs)

    return change


def times_in_a_column(file: h5py.File) -> None:
    del file["acquisition/paw/starting_time"]
    file["acquisition/paw/timestamps"] = np.arange(len(file["acquisition/paw/data"]))[:, None] / 100


def linked_series(file: h5py.File) -> None:
    file.move("acquisition/paw", "scratch/tracking")
    file["processing/behavior/paw"] = h5py.SoftLink("/scratch/tracking")


@pytest.mark.parametrize(
    ("change", "exact"),
    [
        (stored(lambda v: np.rint(v / 1e-3).astype(">i2"), conversion=1e-3), 1e-3),
        (stored(lambda v: v / 2 - 5, conversion=2.0, offset=10.0), 1e-9),
        (stored(lambda v: v.astype(">f4")), 1e-6),
        (times_in_a_column, 1e-9),
        (linked_series, 1e-9),
    ],
)
def test_behaviour_is_in_its_unit_however_it_is_stored(
    change: Callable[[h5py.File], None], exact: float, file: Path
) -> None:
    """The series is interpolated and filtered, so the reference is the file with plain values."""
    expected = behavior_of(file.with_name("plain.nwb"), lambda _: None)
    np.testing.assert_allclose(behavior_of(file, change), expected, atol=exact)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (stored(lambda v: np.c_[v, np.full(len(v), np.nan)]), "has 3 columns, of which 2 (from 0) have no numbers"),
        (stored(lambda v: v[:0]), "has the shape (0, 2), and so no samples"),
        (
            lambda file: file["acquisition/paw/starting_time"].attrs.update(rate="100"),
            "has the rate 100, not a positive",
        ),
        (lambda file: file.pop("acquisition/paw/starting_time"), "has neither timestamps nor a starting_time"),
        (
            lambda file: file.create_dataset("acquisition/paw/timestamps", data=np.zeros((2, 3000))),
            "have the shape (2, 3000) and the type float64, but they must be one time in seconds per sample",
        ),
    ],
)
def test_samples_that_cannot_be_read_are_named(change: Callable[[h5py.File], Any], says: str, file: Path) -> None:
    with pytest.raises(DataError) as raised:
        behavior_of(file, change)
    assert says in str(raised.value)
