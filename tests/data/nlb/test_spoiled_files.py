"""Invalid files are rejected with an error of one or two lines, and no cache entry is left."""

import shutil
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from nlb_search.data.errors import DataError
from tests.helpers.processes.in_process import open_in_process


def column(name: str, change: Callable[[np.ndarray], object]) -> Callable[[Path], None]:
    """Changes a column, or array, of an HDF5 file."""

    def spoil(path: Path) -> None:
        with h5py.File(path, "r+") as file:
            values = file[name][()]
            file[name][()] = change(values)

    return spoil


def without(name: str) -> Callable[[Path], None]:
    def spoil(path: Path) -> None:
        with h5py.File(path, "r+") as file:
            del file[name]

    return spoil


def cut_off(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:50_000])


def as_numbers(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        values = file["units/heldout"][()].astype(int)
        del file["units/heldout"]
        file["units/heldout"] = values


def crowded(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        ends = file["units/spike_times_index"][()]
        busiest = np.argmax(np.diff(ends, prepend=0))
        file["units/spike_times"][ends[busiest] - 300 : ends[busiest]] = 1.0012


def read(path: Path, name: str) -> np.ndarray:
    with h5py.File(path) as file:
        return file[name][()]


def at(index: int | slice, value: float) -> Callable[[np.ndarray], np.ndarray]:
    def change(values: np.ndarray) -> np.ndarray:
        values[index] = value
        return values

    return change


def none_for(split: bytes) -> Callable[[np.ndarray], np.ndarray]:
    return lambda values: np.where(values == split, b"none", values)


TRIALS = "intervals/trials"
SPOILED_TRAINING_FILES = {
    "empty": ("mc_rtt", lambda path: path.write_bytes(b""), "is empty: copy or download it again"),
    "cut off": ("mc_rtt", cut_off, "not a complete NWB file"),
    "text": ("mc_rtt", lambda path: path.write_text("version https://git-lfs"), "is a Git LFS pointer"),
    "no trial table": ("mc_rtt", without(TRIALS), "no trial column 'split', no trial column 'start_time'"),
    "no flags": ("mc_rtt", without("units/heldout"), "no unit column 'heldout'"),
    "flags as numbers": ("mc_rtt", as_numbers, "no boolean values in unit column 'heldout'"),
    "no held-out units": ("mc_rtt", column("units/heldout", np.zeros_like), "no held-out units"),
    "no held-in units": ("mc_rtt", column("units/heldout", np.ones_like), "no held-in units"),
    "no behavior": ("mc_rtt", without("processing/behavior/finger_vel"), "no time series 'finger_vel'"),
    "behavior between milliseconds": (
        "mc_rtt",
        column("processing/behavior/finger_vel/timestamps", lambda times: times + 0.0005),
        "samples of time series 'finger_vel' are not at increasing whole milliseconds",
    ),
    "no conditions": ("mc_maze_small", without(f"{TRIALS}/trial_type"), "no trial column 'trial_type'"),
    "no go time": ("dmfc_rsg", without(f"{TRIALS}/go_time"), "no trial column 'go_time'"),
    "no train trials": (
        "mc_rtt",
        column(f"{TRIALS}/split", none_for(b"train")),
        "in the split 'train'; its splits are: none, val",
    ),
    "no val trials": (
        "mc_rtt",
        column(f"{TRIALS}/split", none_for(b"val")),
        "in the split 'val'; its splits are: none, train",
    ),
    "a trial that never comes": (
        "mc_maze_small",
        column(f"{TRIALS}/move_onset_time", at(4, np.inf)),
        "trial column 'move_onset_time' is inf in row 4",
    ),
    "a trial without a start": (
        "mc_rtt",
        column(f"{TRIALS}/start_time", at(5, np.nan)),
        r"rows 5 of .* a time is missing",
    ),
    "a trial before the session": ("mc_rtt", column(f"{TRIALS}/start_time", at(0, -0.3)), r"rows 0 of .* to 'none'"),
    "a trial past the end": ("mc_rtt", column(f"{TRIALS}/start_time", at(-1, 20.0)), r"rows 31 of .* to 'none'"),
    "a trial half observed": (
        "mc_rtt",
        column("units/obs_intervals", lambda spans: spans + [[0, 0], [0.7, 0]] * (len(spans) // 2)),
        r"trials in rows .* to 'none'",
    ),
    "a trial without time": (
        "mc_maze_small",
        column(f"{TRIALS}/move_onset_time", at(3, np.nan)),
        r"rows 3 of .* a time is missing",
    ),
    "a trial that runs into the next": (
        "mc_maze_small",
        column(f"{TRIALS}/move_onset_time", lambda times: at(2, times[2] + 0.8)(times)),
        r"rows 2 of .* extend into the next trial",
    ),
    "a trial without an answer": ("dmfc_rsg", column(f"{TRIALS}/tp", at(1, np.nan)), r"rows 1 of .* a time is missing"),
    "a go before its set": (
        "dmfc_rsg",
        lambda path: column(f"{TRIALS}/set_time", at(1, read(path, f"{TRIALS}/go_time")[1] + 0.1))(path),
        "rows 1 of",
    ),
    "a gap in behavior": (
        "mc_rtt",
        column("processing/behavior/finger_vel/data", lambda data: at(slice(1500, 1520), np.nan)(data)),
        "are incomplete",
    ),
    "behavior sampled twice": (
        "mc_rtt",
        column("processing/behavior/finger_vel/timestamps", at(7, 0.006)),
        "samples of time series 'finger_vel' are not at increasing whole milliseconds within the recording",
    ),
    "observed before the session": (
        "mc_rtt",
        column("units/obs_intervals", at(0, -2.0)),
        "has -2 s in its 'obs_intervals'",
    ),
    "observed without end": (
        "mc_rtt",
        column("units/obs_intervals", at(-1, np.inf)),
        "has inf s in its 'obs_intervals'",
    ),
    "a spike before the session": ("mc_rtt", column("units/spike_times", at(0, -0.5)), "has a spike at -0.5 s"),
    "a spike that is no number": ("mc_rtt", column("units/spike_times", at(0, np.nan)), "has a spike at nan s"),
    "a spike that never comes": ("mc_rtt", column("units/spike_times", at(0, np.inf)), "has a spike at inf s"),
    "too many spikes": ("mc_rtt", crowded, "has 30[0-9] spikes in one bin"),
    "a spike past the end": ("mc_rtt", column("units/spike_times", at(0, 1e3)), "unit [0-9]+ has a spike at 1000 s, "),
}
SPOILED_TEST_FILES = {
    "cut off": (cut_off, "my-test-set.nwb is not a complete NWB file"),
    "no flags": (without("units/heldout"), "not a test file of mc_rtt: no unit column 'heldout'"),
    "other units": (column("units/heldout", at(1, True)), "has 5 held-in units, but the training file has 6"),
    "no test trials": (column(f"{TRIALS}/split", none_for(b"test")), "in the split 'test'; its splits are: none"),
    "a trial past the end": (column(f"{TRIALS}/start_time", at(-1, 5.8)), r"my-test-set.* rows 7 of"),
}


def assert_rejected(layout: str, data: Path, cache: Path, message: str) -> None:
    with pytest.raises(DataError, match=f"(?s){message}") as raised:
        open_in_process(layout, data, 5, cache)
    assert len(str(raised.value).splitlines()) <= 2
    assert [path for path in cache.iterdir() if path.is_dir()] == []


@pytest.mark.parametrize("name", SPOILED_TRAINING_FILES)
def test_invalid_training_file_is_rejected(mine, tmp_path, name):
    layout, spoil, message = SPOILED_TRAINING_FILES[name]
    spoil(mine(layout))
    assert_rejected(layout, tmp_path, tmp_path / "cache", message)


@pytest.mark.parametrize("name", SPOILED_TEST_FILES)
def test_invalid_test_file_is_rejected(mine, tmp_path, name):
    spoil, message = SPOILED_TEST_FILES[name]
    spoil(mine("mc_rtt").with_name("my-test-set.nwb"))
    assert_rejected("mc_rtt", tmp_path, tmp_path / "cache", message)


@pytest.mark.parametrize(
    ("wanted", "given"), [("mc_rtt", "area2_bump"), ("mc_maze", "mc_rtt"), ("area2_bump", "dmfc_rsg")]
)
def test_recording_of_another_layout_is_detected(written, tmp_path, wanted, given):
    shutil.copytree(written / given, tmp_path / wanted)
    lacking = "move_onset_time|finger_vel"
    assert_rejected(wanted, tmp_path, tmp_path / "cache", f"({lacking}).*looks like a recording of {given}")
