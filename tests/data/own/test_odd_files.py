"""Files of kinds that labs have and people reported: what is wrong is said, and what is right is read."""

import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
from pynwb import NWBHDF5IO

from tests.helpers.recordings.own_nwb import OwnSession
from tests.helpers.recordings.own_recordings import opened, rejection


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "session.nwb"


def test_spike_times_that_go_back_are_rejected_with_their_units(file: Path) -> None:
    session = OwnSession()
    for unit in (3, 7):
        restart = session.spikes[unit].size // 2
        session.spikes[unit][restart:] -= session.spikes[unit][restart] - 0.01
    before = session.spikes[3][session.spikes[3].size // 2 - 1]
    said = rejection(session.write(file))
    assert f"the spike times of units 3, 7 decrease (unit 3: from {before:g} s to 0.01 s after spike" in said
    assert "if the clock restarted there, correct the times after it" in said


def test_spike_times_in_another_order_are_sorted_if_told_so(file: Path, tmp_path: Path) -> None:
    session = OwnSession()
    in_order = opened(session.write(tmp_path / "in_order.nwb")).train.counts
    for unit in (3, 7):
        session.spikes[unit] = np.random.default_rng(unit).permutation(session.spikes[unit])
    assert "set sort_spikes" in rejection(session.write(file))
    recording = opened(file, sort_spikes=True)
    assert np.array_equal(recording.train.counts, in_order)
    assert "sorted spike times that were out of order in units (ids 3, 7)" in recording.choices


def test_equal_spike_times_do_not_go_back(file: Path) -> None:
    session = OwnSession()
    session.spikes = [np.repeat(spikes, 2) for spikes in session.spikes]
    assert opened(session.write(file)).train.counts.max() % 2 == 0


def with_invalid_times(path: Path, *spans: tuple[float, float]) -> Path:
    with NWBHDF5IO(path, "a") as io:
        nwb = io.read()
        for start, stop in spans:
            nwb.add_invalid_time_interval(start_time=start, stop_time=stop)
        io.write(nwb)
    return path


def test_trials_in_invalid_times_are_left_out(file: Path) -> None:
    """One trial lies in an interval, one touches it with its window, and one only with its forward bins."""
    session = OwnSession()
    start = session.start
    spans = (start[5], start[6] + 0.01), (start[10] + 0.6, start[10] + 0.65), (start[20] + 0.7, start[21])
    path = with_invalid_times(session.write(file), *spans)
    recording = opened(path)
    assert "left out 3 trials in the table invalid_times (rows 5, 6, 10)" in recording.choices
    assert (recording.train.n_trials, recording.val.n_trials) == (30, 7)
    whole = opened(OwnSession().write(file.with_name("whole.nwb")))
    kept = np.setdiff1d(np.arange(40), [5, 6, 10])
    np.testing.assert_array_equal(recording.train_val.counts, whole.train_val.counts[kept])
    without_forward = opened(path, forward_ms=0)
    assert "left out 2 trials in the table invalid_times (rows 5, 6)" in without_forward.choices


def test_file_that_is_invalid_throughout_is_rejected(file: Path) -> None:
    path = with_invalid_times(OwnSession().write(file), (0.0, 1e5))
    assert "all 40 trials overlap intervals of the table invalid_times" in rejection(path)


def test_file_that_is_open_for_writing_elsewhere_is_rejected(file: Path) -> None:
    path = OwnSession().write(file)
    hold = f"import h5py; file = h5py.File({str(path)!r}, 'a'); print('open', flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", hold], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        other.stdout.readline()
        said = rejection(path)
        other.communicate(b"\n")
    assert f"{path} is open for writing in another program" in said
    assert "complete HDF5 file" not in said
    opened(path)


@pytest.mark.parametrize(("code", "name"), [(32015, "zstd"), (32001, "blosc"), (60123, "filter 60123")])
def test_file_that_needs_a_filter_that_is_not_installed_is_rejected(code: int, name: str, file: Path) -> None:
    path = OwnSession().write(file)
    with h5py.File(path, "a") as nwb:
        times = nwb["units/spike_times"]
        attributes, n_spikes = dict(times.attrs), len(times)
        del nwb["units/spike_times"]
        created = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        created.set_chunk((n_spikes,))
        created.set_filter(code, h5py.h5z.FLAG_OPTIONAL, ())
        space = h5py.h5s.create_simple((n_spikes,))
        stored = h5py.h5d.create(nwb["units"].id, b"spike_times", h5py.h5t.NATIVE_DOUBLE, space, created)
        stored.write_direct_chunk((0,), b"compressed", 0)
        nwb["units/spike_times"].attrs.update(attributes)
    said = rejection(path)
    assert f"{path} is compressed with {name} (in units/spike_times), which HDF5 cannot read here" in said


def test_splits_are_read_in_other_words(file: Path) -> None:
    session = OwnSession()
    words = ["Train", "TRAINING", "train ", "valid", "Validation", "VAL", "test", "Testing", "Held", "none"]
    session.columns["part"] = words * 4
    recording = opened(session.write(file), split="part")
    assert recording.test is not None
    assert (recording.train.n_trials, recording.val.n_trials, recording.test.n_trials) == (12, 12, 8)


def test_what_has_no_effect_is_said(file: Path) -> None:
    session = OwnSession()
    session.columns["split"] = ["train"] * 30 + ["val"] * 10
    path = session.write(file)
    unused = "the trial column 'split' is not used: set split to use it"
    assert unused in opened(path).choices
    choices = opened(path, split="split", val_share=0.3, lag_ms=40).choices
    assert "val_share has no effect, because split is set" in choices
    assert "lag_ms has no effect, because no behavior is set" in choices
    assert unused not in choices
