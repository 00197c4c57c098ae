"""Produced intervals of your own recording, whose correlation with neural speed (tp corr) is that of nlb_tools."""

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch
from nlb_tools.evaluation import speed_tp_correlation

from nlb_search.data.errors import DataError
from nlb_search.data.own.recording_settings import RecordingSettings
from nlb_search.data.recording import Recording
from nlb_search.models.scoring.interval_correlation import tp_correlation
from nlb_search.search.scoring.targets import read_group, scorable, targets_from
from tests.helpers.processes.in_process import open_in_process
from tests.helpers.recordings.own_nwb import OwnSession
from tests.helpers.recordings.toy_arrays import Arrays, toy_arrays

SPLITS = [("train", "val", "val", "test")[row % 4] for row in range(60)]


def timing_session() -> OwnSession:
    """Trials with Set and Go in them. One has no Go, one no response, and one response occurs once in val."""
    session = OwnSession(n_trials=60)
    rng = np.random.default_rng(3)
    begin = session.start + 0.05
    end = begin + rng.uniform(0.2, 0.4, 60)
    end[5] = np.nan
    side = rng.choice(["left", "right"], 60).astype(object)
    side[9], side[13] = "", "both"
    session.columns = {"set_time": begin.tolist(), "go_time": end.tolist(), "side": side.tolist(), "split": SPLITS}
    return session


def opened(path: Path, **settings: Any) -> Recording:
    chosen = {"split": "split", "interval": ("set_time", "go_time"), "interval_condition": "side"} | settings
    return open_in_process("mine", path, 10, path.parent / "cache", RecordingSettings(**chosen))


def scored(file: Path | None, group: str) -> tuple[Arrays, float, float]:
    """The targets, and tp corr of random rates by our and by nlb_tools' code, which reads it as dmfc_rsg's."""
    assert file is not None
    arrays = scorable(read_group(file, group))
    spikes = arrays["eval_spikes_heldout"]
    rates = np.random.default_rng(0).gamma(1.0, 1.0, (*spikes.shape[:2], 12))
    timing = targets_from(arrays, torch.device("cpu")).timing
    assert timing is not None
    inside = np.where(arrays["eval_interval_bins"][..., None], 1.0, np.nan)
    conditions, intervals = arrays["eval_intervals"][:, :-1], arrays["eval_intervals"][:, -1:]
    behavior = np.concatenate([conditions, conditions, conditions, intervals], axis=1)[:, [0, 1, 2, -1]]
    return arrays, tp_correlation(torch.from_numpy(rates), timing), speed_tp_correlation(inside, rates, behavior)


@pytest.mark.parametrize("split", ["val", "test"])
def test_tp_corr_is_that_of_nlb_tools(split: str, tmp_path: Path) -> None:
    session = timing_session()
    recording = opened(session.write(tmp_path / "session.nwb"), window_ms=(-30, 470))
    targets, ours, theirs = scored(recording.val_targets if split == "val" else recording.test_targets, "mine_10")
    assert ours == pytest.approx(theirs, rel=1e-12)
    rows = np.flatnonzero(np.array(SPLITS) == split)
    begin, end, side = (np.array(session.columns[name])[rows] for name in ("set_time", "go_time", "side"))
    for trial, row in enumerate(rows):
        edges = session.start[row] - 0.03 + 0.01 * np.arange(51)
        inside = (edges[:-1] >= begin[trial] - 1e-6) & (edges[1:] <= end[trial] + 1e-6)
        np.testing.assert_array_equal(targets["eval_interval_bins"][trial], inside)
    expected = np.where(np.isin(side, ["left", "right"]), 1000 * (end - begin), np.nan)
    np.testing.assert_allclose(targets["eval_intervals"][:, 1], expected, atol=1e-3)
    # held-out spikes are scored in the whole window, unlike those of dmfc_rsg
    assert not np.isnan(targets["eval_spikes_heldout"]).any()


def test_without_conditions_all_trials_are_correlated_together(tmp_path: Path) -> None:
    recording = opened(timing_session().write(tmp_path / "session.nwb"), interval_condition=())
    targets, ours, theirs = scored(recording.val_targets, "mine_10")
    assert np.isnan(targets["eval_intervals"]).any(axis=1).sum() == 1
    assert ours == pytest.approx(theirs, rel=1e-12)


@pytest.mark.parametrize(
    ("change", "settings", "says"),
    [
        ({}, {"interval": ("go_time", "set_time")}, "'set_time' is not after 'go_time' in rows 0, 1, 2, 3, 4, ..."),
        ({"go_time": 0.3}, {}, "no condition has two different intervals"),
        ({"set_time": None}, {}, "'set_time' is 0.05 s in row 3, whose trial is from"),
        ({}, {"interval": ("go", "set_time")}, "has no trial column 'go': choose one of "),
    ],
)
def test_times_that_are_no_intervals_are_rejected(
    change: dict[str, float | None], settings: dict[str, Any], says: str, tmp_path: Path
) -> None:
    session = timing_session()
    begin = np.array(session.columns["set_time"])
    for name, length in change.items():
        session.columns[name] = np.full(60, 0.05).tolist() if length is None else (begin + length).tolist()
    with pytest.raises(DataError) as raised:
        opened(session.write(tmp_path / "session.nwb"), **settings)
    assert says in str(raised.value)


def arrays_with_intervals() -> Arrays:
    arrays, rng = toy_arrays(), np.random.default_rng(1)
    n_inside = rng.integers(5, 20, 16)
    inside = np.arange(24) < n_inside[:, None]
    intervals = np.stack([np.arange(16) % 2, 10.0 * n_inside], axis=1)
    intervals[3] = np.nan
    return arrays | {"eval_interval_bins": inside, "eval_intervals": intervals}


def write(path: Path, arrays: Arrays) -> Path:
    with h5py.File(path, "w") as file:
        for name, values in arrays.items():
            if values.dtype != object and name != "psth":
                file[name] = values
    return path


def test_arrays_can_have_intervals(tmp_path: Path) -> None:
    arrays = arrays_with_intervals()
    recording = open_in_process("mine", write(tmp_path / "x.h5", arrays), 10, tmp_path / "cache")
    targets, ours, theirs = scored(recording.val_targets, "mine_10")
    np.testing.assert_array_equal(targets["eval_intervals"], arrays["eval_intervals"])
    assert ours == pytest.approx(theirs, rel=1e-12)


@pytest.mark.parametrize(
    ("name", "values", "says"),
    [
        ("eval_intervals", np.ones((15, 2)), "must be finite or NaN and have the shape (16, columns)"),
        ("eval_interval_bins", np.ones((16, 30)), "must be boolean and have the shape (16, 24)"),
        ("eval_intervals", np.ones((16, 2)), "no condition has two different intervals"),
    ],
)
def test_arrays_that_are_no_intervals_are_rejected(name: str, values: Any, says: str, tmp_path: Path) -> None:
    path = write(tmp_path / "x.h5", arrays_with_intervals() | {name: values})
    with pytest.raises(DataError) as raised:
        open_in_process("mine", path, 10, tmp_path / "cache")
    assert says in str(raised.value)
