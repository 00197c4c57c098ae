"""Recordings with gaps, unsorted trials and windows at the edges are prepared exactly as by nlb_tools."""

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from nlb_search.data.recording import UNSEEN, Recording
from tests.helpers.processes.in_process import open_in_process
from tests.helpers.recordings.nlb_reference import assert_same, reference

TRIALS = "intervals/trials"


@pytest.fixture
def same(tmp_path) -> Callable[..., Recording]:
    """Compares a recording with nlb_tools, and returns it."""

    def check(train: Path, bin_ms: int, rtol: float = 1e-6) -> Recording:
        layout = train.parent.name
        recording = open_in_process(layout, tmp_path, bin_ms, tmp_path / "cache")
        assert_same(recording, reference(train, train.with_name("my-test-set.nwb"), layout, bin_ms), rtol)
        return recording

    return check


def test_unsorted_trials(mine, same):
    path = mine("mc_rtt")
    with h5py.File(path, "r+") as file:
        table = file[TRIALS]
        order = np.random.default_rng(2).permutation(len(table["id"]))
        for name in table.keys() - {"id"}:
            table[name][...] = table[name][()][order]
    same(path, 5)


def observe(path: Path, gaps: list[tuple[float, float]]) -> None:
    """Removes these intervals, in seconds, from the observed time of all units, with the spikes in them."""
    with h5py.File(path, "r+") as file:
        units = file["units"]
        n_units, end_s = len(units["id"]), units["obs_intervals"][-1, 1]
        spans = np.column_stack([[0.0, *(stop for _, stop in gaps)], [*(start for start, _ in gaps), end_s]])
        units["obs_intervals"].resize((n_units * len(spans), 2))
        units["obs_intervals"][...] = np.tile(spans, (n_units, 1))
        units["obs_intervals_index"][...] = np.arange(1, n_units + 1) * len(spans)


@pytest.fixture
def resizable(mine) -> Callable[[str], Path]:
    """A recording to which observed intervals can be added in place."""

    def made(layout: str) -> Path:
        path = mine(layout)
        with h5py.File(path, "r+") as file:
            units = file["units"]
            values, attributes = units["obs_intervals"][()], dict(units["obs_intervals"].attrs)
            del units["obs_intervals"]
            grown = units.create_dataset("obs_intervals", data=values, maxshape=(None, 2))
            grown.attrs.update(attributes)
            units["obs_intervals_index"].attrs["target"] = grown.ref
        return path

    return made


@pytest.mark.parametrize(("layout", "bin_ms"), [("mc_maze_small", 5), ("mc_maze_small", 20), ("dmfc_rsg", 5)])
def test_smoothing_is_split_at_unobserved_time(resizable, same, layout, bin_ms):
    path = resizable(layout)
    with h5py.File(path) as file:
        column = "go_time" if layout == "dmfc_rsg" else "move_onset_time"
        aligned = file[f"{TRIALS}/{column}"][()]
        splits = file[f"{TRIALS}/split"].asstr()[()]
    gaps = []
    for number, time in enumerate(aligned[splits != "none"][:20]):
        # Two milliseconds within a bin, or an interval after the forward bins.
        inside = np.floor(time * 50) / 50 + 0.002
        after = np.round(time + 0.66, 3)
        if layout == "mc_maze_small" and number % 2:
            gaps.append((after, after + 0.04))
        else:
            gaps.append((inside, inside + 0.002))
    observe(path, gaps)
    same(path, bin_ms)


def test_unobserved_time_in_test_windows(mine, same):
    path = mine("mc_rtt")
    with h5py.File(path.with_name("my-test-set.nwb"), "r+") as file:
        file["units/obs_intervals"][:, 0] = 0.4
    recording = same(path, 5)
    assert (recording.test.heldin[0, :40] == UNSEEN).all()
    assert (recording.test.heldin[0, 40:] != UNSEEN).all()


def behavior_of(recording: Recording) -> tuple[np.ndarray, np.ndarray]:
    with h5py.File(recording.val_targets) as file:
        group = file[recording.group]
        return group["train_behavior"][()], group["eval_behavior"][()]


@pytest.mark.parametrize("bin_ms", [5, 20])
def test_behavior_after_the_end_is_nan(mine, same, bin_ms):
    path = mine("mc_rtt")
    with h5py.File(path, "r+") as file:
        end_s = file["units/obs_intervals"][-1, 1]
        # Window and forward bins end with the recording, but behavior lags the window by 140 ms.
        file[f"{TRIALS}/start_time"][-1] = np.floor((end_s - 0.81) * 50) / 50
        file[f"{TRIALS}/stop_time"][-1] = end_s
    same(path, bin_ms)


def test_behavior_before_the_start_is_nan(mine, same):
    path = mine("area2_bump")
    with h5py.File(path, "r+") as file:
        file[f"{TRIALS}/start_time"][0] = 0.0
        file[f"{TRIALS}/move_onset_time"][0] = 0.1
    train, _ = behavior_of(same(path, 5))
    assert np.isnan(train[0, -4:]).all()
    assert np.isfinite(train[1:]).all()


def test_behavior_gaps_outside_windows_are_filled_for_the_filter_only(mine, same):
    path = mine("mc_maze_small")
    with h5py.File(path, "r+") as file:
        aligned = file[f"{TRIALS}/move_onset_time"][()]
        data = file["processing/behavior/hand_vel/data"]
        for number, time in enumerate(aligned):
            # After the forward bins; every fourth in the lagged window but within one bin.
            begin = int(1000 * time) + 655 if number % 4 else int(200 * time) * 5 + 451
            data[begin : begin + 3, number % 2] = np.nan
    same(path, 5)


@pytest.mark.parametrize("kind", ["float32", "in other order"])
def test_behavior_dtype_and_column_order(mine, same, kind):
    path = mine("mc_maze_small")
    with h5py.File(path, "r+") as file:
        series = file["processing/behavior/hand_vel"]
        if kind == "float32":
            values, attributes = series["data"][()], dict(series["data"].attrs)
            del series["data"]
            series["data"] = values.astype(np.float32)
            series["data"].attrs.update(attributes)
        else:
            series.attrs["comments"] = "columns=[y,x]"
    # nlb_tools filters 32 bits in 32 bits.
    same(path, 5, rtol=1e-5 if kind == "float32" else 1e-6)


def test_observed_time_is_that_of_the_first_unit_of_each_kind(mine, same):
    path = mine("mc_rtt")
    with h5py.File(path.with_name("my-test-set.nwb"), "r+") as file:
        ends, kinds = file["units/obs_intervals_index"][()], file["units/heldout"][()]
        first = np.flatnonzero(~kinds)[0]
        file["units/obs_intervals"][ends[first] - 1, 0] = 1.0
    recording = same(path, 5)
    assert (recording.test.heldin[0] == UNSEEN).any(axis=0).all()
