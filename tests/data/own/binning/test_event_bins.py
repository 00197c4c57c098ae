"""Bins of your own recording are counted from the event of each trial."""

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from nlb_search.data.own.recording_settings import RecordingSettings
from nlb_search.data.recording import Recording
from tests.helpers.processes.in_process import open_in_process
from tests.helpers.recordings.own_nwb import OwnSession

RATE_HZ = 30_000
"""Sampling rate of the events and spikes."""


def opened(session: OwnSession, folder: Path, bin_ms: int, **settings: Any) -> Recording:
    path = session.write(folder / "session.nwb")
    return open_in_process("mine", path, bin_ms, folder / "cache", RecordingSettings(**settings))


def evoked() -> OwnSession:
    """Every neuron fires once per trial, 10 to 13 ms after an event, which lies anywhere in a millisecond."""
    session = OwnSession()
    rng = np.random.default_rng(1)
    event = np.floor((session.start + rng.uniform(0, 0.1, 40)) * RATE_HZ)
    session.columns["go_cue"] = list(event / RATE_HZ)
    delay = [rng.integers(int(0.010 * RATE_HZ), int(0.013 * RATE_HZ), 40) for _ in range(12)]
    session.spikes = [(event + late) / RATE_HZ for late in delay]
    return session


@pytest.mark.parametrize("bin_ms", [1, 5, 7, 20, 50, 100, 300])
def test_rates_do_not_depend_on_the_bin_width(bin_ms: int, tmp_path: Path) -> None:
    recording = opened(evoked(), tmp_path, bin_ms, align="go_cue", window_ms=(0, 300), forward_ms=0)
    for split in (recording.train, recording.val):
        assert (split.counts.sum(axis=1) == 1).all()
        bins = split.counts.argmax(axis=1)
        assert bins.min() >= 10 // bin_ms
        assert bins.max() <= 12 // bin_ms


@pytest.mark.parametrize("offset_s", [0.0, 3600.0, 1e6])
def test_spike_at_the_edge_of_a_bin_is_in_the_bin_that_begins(offset_s: float, tmp_path: Path) -> None:
    """At the event, at the edge between the two bins, and one sample before each."""
    session = OwnSession()
    event = np.floor(session.start * RATE_HZ) + np.arange(40) % 7 + offset_s * RATE_HZ
    session.start, session.stop = event / RATE_HZ, (event + 0.5 * RATE_HZ) / RATE_HZ
    late = [0, 300, -1, 299, 599, 600]
    session.spikes = [(event + late[n % 6]) / RATE_HZ for n in range(12)]
    session.units["out"] = [n >= 6 for n in range(12)]
    recording = opened(session, tmp_path, 10, window_ms=(0, 20), forward_ms=0, heldout="out")
    expected = np.array([[1, 0], [0, 1], [0, 0], [1, 0], [0, 1], [0, 0]]).T
    for counts in (recording.train.counts, recording.val.counts):
        assert (counts == np.tile(expected, 2)).all()


def test_windows_may_overlap(tmp_path: Path) -> None:
    session = OwnSession()
    recording = opened(session, tmp_path, 10, window_ms=(-100, 500), forward_ms=0, val_share=0.01)
    expected = [np.histogram(session.spikes[n], session.start[5] + np.arange(-10, 51) / 100)[0] for n in range(12)]
    assert {tuple(each) for each in expected} == {tuple(each) for each in recording.train.counts[5].T}


def with_samples(path: Path, times_s: Any, values: Any) -> None:
    """Replace the samples of the behaviour in the file."""
    with h5py.File(path, "a") as file:
        series = file["acquisition/paw"]
        del series["starting_time"], series["data"]
        series["data"], series["timestamps"] = values, times_s
        series["timestamps"].attrs.update(interval=1, unit="seconds")


@pytest.mark.parametrize(("rate_hz", "shift_s"), [(1000, 0.0), (1000, 0.0004), (100, 0.0), (100, 0.0057)])
def test_behaviour_sampled_in_the_windows_alone_is_known_in_all_bins(
    rate_hz: float, shift_s: float, tmp_path: Path
) -> None:
    session = OwnSession()
    path = session.write(tmp_path / "session.nwb")
    offsets = np.arange(0, 0.5, 1 / rate_hz) + shift_s
    times = (session.start[:, None] + offsets).ravel()
    with_samples(path, times, np.tile(3 + 2 * offsets, 40)[:, None])
    settings = RecordingSettings(behavior="paw", window_ms=(0, 450), forward_ms=0)
    recording = open_in_process("mine", path, 10, tmp_path / "cache", settings)
    with h5py.File(recording.val_targets) as targets:
        for name in ("train_behavior", "eval_behavior"):
            found = targets[f"mine_10/{name}"][..., 0]
            assert not np.isnan(found).any()
            np.testing.assert_allclose(
                found[:, 2:-2], np.broadcast_to(3 + 0.02 * np.arange(2, 43), found[:, 2:-2].shape), atol=0.03
            )


def test_behaviour_is_unknown_in_gaps(tmp_path: Path) -> None:
    session = OwnSession()
    path = session.write(tmp_path / "session.nwb")
    offsets = np.append(np.arange(0, 0.2, 0.01), np.arange(0.3, 0.5, 0.01))
    with_samples(path, (session.start[:, None] + offsets).ravel(), np.ones((40 * len(offsets), 1)))
    settings = RecordingSettings(behavior="paw", window_ms=(0, 450), forward_ms=0)
    recording = open_in_process("mine", path, 10, tmp_path / "cache", settings)
    with h5py.File(recording.val_targets) as targets:
        unknown = np.isnan(targets["mine_10/eval_behavior"][..., 0])
    # Samples at 190 and 300 ms: known until 200 ms and from 290 ms.
    assert (np.flatnonzero(unknown.all(axis=0)) == np.arange(21, 29)).all()
    assert not np.delete(unknown, np.arange(21, 29), axis=1).any()
