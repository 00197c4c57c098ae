"""NWB files without the columns that the benchmark adds."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from nlb_search.data.errors import DataError
from nlb_search.data.own.recording_settings import RecordingSettings
from nlb_search.data.recording import Recording
from tests.helpers.processes.in_process import open_in_process
from tests.helpers.recordings.own_nwb import Array, OwnSession


def opened(session: OwnSession, folder: Path, bin_ms: int = 5, **settings: Any) -> Recording:
    path = session.write(folder / "session.nwb")
    return open_in_process("mine", path, bin_ms, folder / "cache", RecordingSettings(**settings))


def counted(session: OwnSession, neuron: int, start_s: float, n_bins: int, bin_ms: int) -> Array:
    """Expected counts of a neuron in bins that are counted from ``start_s``."""
    spikes_us = np.rint((session.spikes[neuron] - start_s) * 1e6)
    return np.histogram(spikes_us, np.arange(n_bins + 1) * bin_ms * 1000 - 0.5)[0]


@pytest.mark.parametrize("bin_ms", [1, 5, 7, 20])
def test_defaults_are_applied_and_reported(bin_ms: int, tmp_path: Path) -> None:
    session = OwnSession()
    recording = opened(session, tmp_path, bin_ms)
    assert (recording.n_window_bins, recording.n_forward_bins) == (500 // bin_ms, 200 // bin_ms)
    assert (recording.train.n_trials, recording.val.n_trials, recording.test) == (32, 8, None)
    assert (recording.n_heldin, recording.n_heldout) == (9, 3)
    assert recording.choices == (
        "the last 8 of 40 trials are val",
        "the window is the 500 ms after start_time, the length of the shortest trial",
        "the 200 ms after the window are forward bins",
        "held out a random 3 of the 12 neurons",
        "no behaviour is decoded",
    )
    n_bins = recording.n_window_bins + recording.n_forward_bins
    for split, rows in ((recording.train, range(32)), (recording.val, range(32, 40))):
        by_hand = {
            n: np.array([counted(session, n, session.start[row], n_bins, bin_ms) for row in rows]) for n in range(12)
        }
        found = [next(n for n in by_hand if np.array_equal(by_hand[n], split.counts[..., k])) for k in range(12)]
        assert sorted(found) == list(range(12))
        assert found[:9] == sorted(found[:9])


def test_settings_are_applied(tmp_path: Path) -> None:
    session = OwnSession()
    session.columns["go"] = list(session.start + 0.2)
    names = ["train", "val", "test", "none"]
    session.columns["part"] = [names[row % 4] for row in range(40)]
    session.units["silenced"] = [n in (2, 5) for n in range(12)]
    named = {"align": "go", "window_ms": (-100, 200), "forward_ms": 50, "split": "part", "heldout": "silenced"}
    recording = opened(session, tmp_path, 10, behavior="paw", lag_ms=40, **named)
    assert recording.choices == ()
    assert (recording.n_window_bins, recording.n_forward_bins, recording.n_heldout) == (30, 5, 2)
    assert recording.test is not None
    for split, first in ((recording.train, 0), (recording.val, 1), (recording.test, 2)):
        expected = [counted(session, 3, session.columns["go"][row] - 0.1, 30, 10) for row in range(first, 40, 4)]
        np.testing.assert_array_equal(split.heldin[..., 2], expected)
    expected = [counted(session, 5, session.columns["go"][row] - 0.1, 30, 10) for row in range(1, 40, 4)]
    np.testing.assert_array_equal(recording.val.heldout[..., 1], expected)
    np.testing.assert_array_equal(recording.train_val.counts[::2], recording.train.counts)
    np.testing.assert_array_equal(recording.train_val.counts[1::2], recording.val.counts)
    assert recording.test.counts.shape == (10, 30, 10)
    assert recording.test_targets is not None
    with h5py.File(recording.val_targets) as val, h5py.File(recording.test_targets) as test:
        assert test["mine_10/train_behavior"].shape == (20, 30, 2)
        np.testing.assert_array_equal(test["mine_10/train_behavior"][1::2], val["mine_10/eval_behavior"])
        expected = [counted(session, 5, session.columns["go"][row] - 0.1, 30, 10) for row in range(2, 40, 4)]
        np.testing.assert_array_equal(test["mine_10/eval_spikes_heldout"][..., 1], expected)
        expected = session.latent(session.columns["go"][1] - 0.1 + 0.04 + np.arange(30) * 0.01)
        np.testing.assert_allclose(val["mine_10/eval_behavior"][0, :, 0], expected, atol=0.01)


def shortened(session: OwnSession, last_s: float) -> None:
    """End the recording at ``last_s``."""
    session.obs_intervals = [np.array([[0.0, last_s]])] * 12
    session.spikes = [spikes[spikes < last_s] for spikes in session.spikes]


def test_forward_bins_that_are_not_recorded_are_unseen(tmp_path: Path) -> None:
    session = OwnSession()
    session.stop[-1] = session.start[-1] + 0.5
    shortened(session, session.stop[-1])
    recording = opened(session, tmp_path)
    assert recording.n_forward_bins == 40
    said = "the forward bins of 1 trial are unseen (rows 39): they are not recorded for 200 ms after their window"
    assert said in recording.choices
    assert (recording.val.counts[-1, 100:] == 255).all()
    assert (recording.val.counts[:-1] != 255).all()
    assert (recording.val.counts[-1, :100] != 255).all()
    with h5py.File(recording.val_targets) as targets:
        for kind in ("heldin", "heldout"):
            unknown = np.isnan(targets[f"mine/eval_spikes_{kind}_forward"])
            assert unknown[-1].all()
            assert not unknown[:-1].any()
        assert not np.isnan(targets["mine/eval_spikes_heldout"]).any()


def test_no_forward_bins_if_most_are_not_recorded(tmp_path: Path) -> None:
    session = OwnSession()
    session.obs_intervals = [np.stack([session.start, session.stop], axis=1)] * 12
    recording = opened(session, tmp_path, window_ms=(0, 450))
    assert recording.n_forward_bins == 0
    assert any(
        choice.startswith("no forward bins, because trials in rows")
        and choice.endswith("are not recorded for 200 ms after their window")
        for choice in recording.choices
    )


@pytest.mark.parametrize("bin_ms", [1, 5])
def test_trials_may_start_within_a_bin(bin_ms: int, tmp_path: Path) -> None:
    session = OwnSession()
    session.start[7] = round(session.start[7], 2) + 3e-7
    session.stop = session.start + 0.5
    session.start[3] += 1e-9  # a nanosecond shorter than the other trials, like a rounding error
    recording = opened(session, tmp_path, bin_ms)
    assert (recording.n_window_bins, recording.n_forward_bins) == (500 // bin_ms, 200 // bin_ms)
    by_hand = [counted(session, n, session.start[7], 700 // bin_ms, bin_ms) for n in range(12)]
    assert {tuple(counts) for counts in by_hand} == {tuple(counts) for counts in recording.train.counts[7].T}


@pytest.mark.parametrize("first", ["val", "test"])
def test_forward_bins_do_not_reach_across_the_test_split(first: str, tmp_path: Path) -> None:
    session = OwnSession()
    session.columns["part"] = ["train"] * 20 + ["val"] * 10 + ["test"] * 10
    if first == "test":
        session.columns["part"][29:31] = ["test", "val"]
    session.start[30] = session.start[29] + 0.6
    recording = opened(session, tmp_path, split="part")
    said = "the forward bins of 1 trial are unseen (rows 29): they overlap test trials in the 200 ms after their window"
    assert said in recording.choices
    assert recording.test_targets is not None
    with h5py.File(recording.val_targets) as val, h5py.File(recording.test_targets) as test:
        for file, trial in ((val, 9), (test, 0)):
            unknown = np.isnan(file["mine/eval_spikes_heldout_forward"]).any(axis=(1, 2))
            expected = [trial] if first == ("val" if file is val else "test") else []
            assert list(np.flatnonzero(unknown)) == expected


def test_large_val_share_keeps_one_training_trial(tmp_path: Path) -> None:
    recording = opened(OwnSession(), tmp_path, val_share=0.99)
    assert (recording.train.n_trials, recording.val.n_trials) == (1, 39)


def test_trials_without_alignment_time_are_excluded(tmp_path: Path) -> None:
    session = OwnSession()
    session.columns["go"] = [np.nan if row in (3, 9) else start + 0.1 for row, start in enumerate(session.start)]
    recording = opened(session, tmp_path, align="go")
    assert recording.train_val.n_trials == 38
    assert "left out 2 trials without a time in go (rows 3, 9)" in recording.choices


def short_trial(session: OwnSession) -> None:
    session.stop[7] = session.start[7] + 0.1


def no_length(session: OwnSession) -> None:
    session.stop = session.start.copy()


def unobserved(session: OwnSession) -> None:
    hole = (session.start[4] + 0.1, session.start[4] + 0.2)
    session.obs_intervals = [np.array([[0, session.end]])] * 11 + [np.array([[0, hole[0]], [hole[1], session.end]])]


def one_neuron(session: OwnSession) -> None:
    session.spikes = session.spikes[:1]


def spike_without_time(session: OwnSession) -> None:
    session.spikes[2] = np.append(session.spikes[2], np.nan)


def columns(**columns: list[Any]) -> Callable[[OwnSession], None]:
    return lambda session: session.columns.update(columns)


@pytest.mark.parametrize(
    ("change", "settings", "says"),
    [
        (None, {"align": "go_cue"}, "has no trial column 'go_cue': choose one of id, start_time, stop_time"),
        (None, {"split": "part"}, "has no trial column 'part': choose one of id, start_time, stop_time"),
        (None, {"heldout": "area"}, "has no unit column 'area': choose one of id, spike_times"),
        (None, {"behavior": "tail"}, "has no time series 'tail': choose one of"),
        (None, {"heldout": "id"}, "unit column 'id' must be boolean, True for the neurons to hold out"),
        (
            None,
            {"window_ms": (0, 600_000)},
            "trials in rows 0, 1, 2, 3, 4, ... of the trial table (from 0) have windows that extend into time",
        ),
        (
            None,
            {"window_ms": (-300, 100)},
            "trials in rows 0 of the trial table (from 0) have windows that extend into time",
        ),
        (None, {"window_ms": (0, 3)}, "the window of 3 ms is shorter than one bin of 5 ms"),
        (None, {"window_ms": (-150, 900)}, "the windows of trials in rows 31 (train) and 32 (val) overlap"),
        (None, {"forward_ms": 5000}, "are not recorded for 5000 ms after their window: reduce forward_ms"),
        (
            short_trial,
            {},
            "trials in rows 7 of the trial table (from 0) are much shorter (from start_time to stop_time)",
        ),
        (no_length, {}, "most trials have stop_time equal to start_time: check the trial table"),
        (
            unobserved,
            {},
            "trials in rows 4 of the trial table (from 0) have windows that extend into time that was not recorded",
        ),
        (one_neuron, {}, "has 1 neuron, but at least 2 are needed"),
        (spike_without_time, {}, "unit 2 has a spike at nan s"),
        (
            columns(part=["a"] * 40),
            {"split": "part"},
            "must have trials with the values train and val; its values are a",
        ),
        (columns(part=list(range(40))), {"split": "part"}, "its values are 0, 1, 10, 11, 12, ..."),
        (columns(go=[np.nan] * 40), {"align": "go"}, "has 0 trials with a time in 'go', but at least 2"),
        (columns(go=["x"] * 40), {"align": "go"}, "'go' does not have times"),
    ],
)
def test_invalid_files_and_settings_are_rejected(
    change: Callable[[OwnSession], None] | None, settings: dict[str, Any], says: str, tmp_path: Path
) -> None:
    session = OwnSession()
    if change is not None:
        change(session)
    with pytest.raises(DataError) as raised:
        opened(session, tmp_path, **settings)
    assert says in str(raised.value)
    assert len(str(raised.value).splitlines()) == 1
    assert not [path for path in (tmp_path / "cache").iterdir() if path.is_dir()]


@pytest.mark.parametrize(("missing", "says"), [("units", "no unit table"), ("intervals", "no trial table")])
def test_file_without_required_tables_is_rejected(missing: str, says: str, tmp_path: Path) -> None:
    path = OwnSession().write(tmp_path / "session.nwb")
    with h5py.File(path, "a") as file:
        del file[missing]
    with pytest.raises(DataError, match=says):
        open_in_process("mine", path, 5, tmp_path / "cache")
