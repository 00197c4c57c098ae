"""Continuous recordings that are cut into windows."""

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from pynwb import NWBHDF5IO

from nlb_search.data.errors import DataError
from nlb_search.data.inspection.identities import Identities, identities_of
from nlb_search.data.own.recording_settings import RecordingSettings
from nlb_search.data.recording import Recording
from tests.helpers.processes.in_process import open_in_process
from tests.helpers.recordings.own_nwb import OwnSession


def continuous(
    path: Path, epochs: tuple[tuple[float, float, str], ...] = (), **changes: Any
) -> tuple[OwnSession, Path]:
    """A session without a trial table, of about 230 s, with epochs (start, stop, label)."""
    session = OwnSession(n_trials=260)
    for name, value in changes.items():
        setattr(session, name, value)
    session.write(path)
    with NWBHDF5IO(path, "a") as io:
        nwb = io.read()
        for start, stop, label in epochs:
            nwb.add_epoch(start, stop, tags=[label])
        io.write(nwb)
    with h5py.File(path, "a") as file:
        del file["intervals/trials"]
    return session, path


def opened(path: Path, **settings: Any) -> tuple[Recording, Identities]:
    chosen = RecordingSettings(**settings)
    recording = open_in_process("run", path, 20, path.parent / "cache", chosen)
    return recording, identities_of(recording, path, chosen)


def starts_of(session: OwnSession, split: Any, neurons: tuple[int, ...], bin_s: float = 0.02) -> list[float]:
    """Where each window of a split begins on the session's clock, found by its counts."""
    first = min(spikes[0] for spikes in session.spikes)
    edges = np.arange(first, session.end, bin_s)
    counts = np.stack([np.histogram(session.spikes[n] - 1e-7, edges - 2e-7)[0] for n in neurons], axis=1)
    width = split.n_window_bins
    windows = {counts[i : i + width].tobytes(): edges[i] for i in range(len(counts) - width + 1)}
    return [windows[window.astype(counts.dtype).tobytes()] for window in split.counts[:, :width]]


def test_windows_are_cut_from_the_whole_recording_in_blocks(tmp_path: Path) -> None:
    session, path = continuous(tmp_path / "run.nwb")
    recording, known = opened(path, cut_ms=1000, forward_ms=0)
    assert recording.test is not None
    assert (recording.n_window_bins, recording.n_forward_bins) == (50, 0)
    neurons = known.heldin + known.heldout
    found = {
        name: starts_of(session, split, neurons) for name, split in (("train", recording.train), ("val", recording.val))
    }
    first = min(spikes[0] for spikes in session.spikes)
    for starts in found.values():
        seconds = np.array(starts) - first
        np.testing.assert_allclose(seconds, seconds.round(), atol=1e-6)
    windows = np.sort(np.concatenate(list(found.values())))
    assert np.diff(windows).min() >= 1 - 1e-6
    assert any("windows of 1000 ms" in choice and "5 sections" in choice for choice in recording.choices)
    # val is spread over the session, and no window of val is next to one of train
    val, train = np.array(found["val"]), np.array(found["train"])
    assert val.min() < session.end / 4
    assert val.max() > session.end * 3 / 4
    assert np.abs(val[:, None] - train).min() >= 2 - 1e-6
    assert recording.val.n_trials == pytest.approx(0.2 * session.end, rel=0.2)
    assert known.rows == "windows by time"


def test_no_window_of_another_split_is_adjacent(tmp_path: Path) -> None:
    _, path = continuous(tmp_path / "run.nwb")
    recording, known = opened(path, cut_ms=500, gap_ms=100)
    assert recording.test is not None
    split_of = {row: name for name, rows in known.trials.items() for row in rows}
    assert set(split_of.values()) == {"train", "val", "test"}
    for row, name in split_of.items():
        assert split_of.get(row + 1, name) == name


def test_windows_stay_within_selected_epochs_and_valid_time(tmp_path: Path) -> None:
    epochs = ((10.0, 60.01, "run"), (60.01, 100.0, "rest"), (100.0, 150.01, "run"))
    session, path = continuous(tmp_path / "run.nwb", epochs)
    with NWBHDF5IO(path, "a") as io:
        nwb = io.read()
        nwb.add_invalid_time_interval(start_time=20.5, stop_time=30.0)
        io.write(nwb)
    recording, known = opened(path, cut_ms=1000, within="epochs", within_rows="'run' in tags", forward_ms=40)
    allowed = np.concatenate([np.arange(10, 20), np.arange(30, 60), np.arange(100, 150)])
    n_windows = sum(len(rows) for rows in known.trials.values())
    assert "cut 90.52 s of recording into 90 windows of 1000 ms" in recording.choices[0]
    neurons = known.heldin + known.heldout
    by_start = {tuple(np.histogram(session.spikes[neurons[0]] - s, np.arange(51) * 0.02 - 1e-7)[0]): s for s in allowed}
    read = [by_start[tuple(window[:50, 0])] for window in recording.train_val.counts]
    assert sorted(read) == read
    assert n_windows == 90 - int(recording.choices[1].split()[2])
    # The forward bins of these windows reach out of the epochs.
    unseen = [start for start, counts in zip(read, recording.train_val.counts, strict=True) if (counts == 255).any()]
    assert unseen == [59]


def test_cut_session_decodes_behaviour(tmp_path: Path) -> None:
    session, path = continuous(tmp_path / "run.nwb")
    recording, known = opened(path, cut_ms=1000, behavior="paw", forward_ms=0)
    start = starts_of(session, recording.val, known.heldin + known.heldout)[3]
    with h5py.File(recording.val_targets) as targets:
        found = targets["run_20/eval_behavior"][3, :, 0]
    np.testing.assert_allclose(found, session.latent(start + np.arange(50) * 0.02), atol=0.05)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        (
            {},
            "has no trial table with start_time and stop_time: it has no such table; for a recording without trials, "
            "set cut_ms",
        ),
        ({"cut_ms": 60_000}, "give 3 windows of 60000 ms, but at least 10 are needed: reduce cut_ms or gap_ms"),
        ({"cut_ms": 1000, "within": "laps"}, "has no interval table 'laps': choose one of epochs"),
        (
            {"cut_ms": 1000, "within": "epochs", "within_rows": "label == 'x'"},
            "within_rows names a column 'label', which intervals/epochs does not have: choose one of id, start_time, "
            "stop_time, tags",
        ),
        (
            {"cut_ms": 1000, "within": "epochs", "within_rows": "'x' in tags"},
            "none of the 1 rows of the interval table 'epochs' is selected",
        ),
    ],
)
def test_windows_that_cannot_be_cut_are_rejected(settings: dict[str, Any], says: str, tmp_path: Path) -> None:
    _, path = continuous(tmp_path / "run.nwb", ((10.0, 60.0, "run"),))
    with pytest.raises(DataError) as raised:
        opened(path, **settings)
    assert says in str(raised.value)
    assert len(str(raised.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("scale", "start", "says"),
    [
        (1000, 0, "spikes/s on average: are they in milliseconds? divide them by 1000"),
        (30_000, 0, "all integers: are they sample numbers? divide them by the sampling rate"),
        (1, 1.6e9, "spike times start at 1.6e+09 s: are they on a Unix clock (2020-09-13)?"),
    ],
)
def test_continuous_recording_in_another_unit_is_rejected(scale: int, start: float, says: str, tmp_path: Path) -> None:
    spikes = [start + scale * spikes[::30] for spikes in OwnSession(n_trials=100).spikes]
    spikes = [spikes.round() for spikes in spikes] if scale == 30_000 else spikes
    _, path = continuous(tmp_path / "run.nwb", spikes=spikes)
    with pytest.raises(DataError) as raised:
        opened(path, cut_ms=1000)
    assert says in str(raised.value)
