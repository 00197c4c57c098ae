"""Files of kinds that labs have and people reported: what is wrong is said, and what is right is read."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from in_process import open_in_process
from own_nwb import OwnSession
from pynwb import NWBHDF5IO, TimeSeries

from nlb_search.data.errors import DataError
from nlb_search.data.own.recording_settings import RecordingSettings
from nlb_search.data.recording import Recording


def opened(path: Path, bin_ms: int = 10, **settings: Any) -> Recording:
    return open_in_process("mine", path, bin_ms, path.parent / "cache", RecordingSettings(**settings))


def refusal(path: Path, bin_ms: int = 10, **settings: Any) -> str:
    with pytest.raises(DataError) as raised:
        opened(path, bin_ms, **settings)
    return str(raised.value)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "session.nwb"


def test_spike_times_that_go_back_are_refused_with_their_units(file: Path) -> None:
    session = OwnSession()
    for unit in (3, 7):
        restart = session.spikes[unit].size // 2
        session.spikes[unit][restart:] -= session.spikes[unit][restart] - 0.01
    before = session.spikes[3][session.spikes[3].size // 2 - 1]
    said = refusal(session.write(file))
    assert f"the spike times of units 3, 7 go back (unit 3: from {before:g} s to 0.01 s after spike" in said
    assert "if the clock restarted there, correct the times after it" in said


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


def test_file_that_is_invalid_throughout_is_refused(file: Path) -> None:
    path = with_invalid_times(OwnSession().write(file), (0.0, 1e5))
    assert "all 40 trials overlap intervals of the table invalid_times" in refusal(path)


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
    said = refusal(path, behavior="paw")
    assert "has 2 time series 'paw', acquisition/paw and processing/behavior/paw: set behavior to one of these" in said
    with h5py.File(opened(path, behavior=name).val_targets) as targets:
        np.testing.assert_allclose(targets["mine_10/eval_behavior"], 7.0)


def test_spikes_before_time_0_do_not_matter(file: Path) -> None:
    session = OwnSession()
    expected = opened(session.write(file.with_name("without.nwb")))
    session.spikes[2] = np.append(-0.5, session.spikes[2])
    found = opened(session.write(file))
    np.testing.assert_array_equal(found.train_val.counts, expected.train_val.counts)


def in_milliseconds(session: OwnSession) -> None:
    session.spikes = [1000 * spikes for spikes in session.spikes]


def in_samples(session: OwnSession) -> None:
    session.spikes = [np.round(30_000 * spikes) for spikes in session.spikes]


def trials_in_milliseconds(session: OwnSession) -> None:
    session.start, session.stop = 1000 * session.start, 1000 * session.stop


def all_in_milliseconds(session: OwnSession) -> None:
    session.spikes = [1000 * spikes[::3] for spikes in session.spikes]
    trials_in_milliseconds(session)


def on_unix_clock(session: OwnSession) -> None:
    session.spikes = [spikes + 1.6e9 for spikes in session.spikes]
    session.start, session.stop = session.start + 1.6e9, session.stop + 1.6e9


def relative_to_trials(session: OwnSession) -> None:
    """All trials one after the other, not sorted, as they are read from cells of trials."""
    trials = list(zip(session.start, session.stop, strict=True))
    session.spikes = [
        np.concatenate([spikes[(spikes >= start - 0.1) & (spikes < stop)] - start for start, stop in trials])
        for spikes in session.spikes
    ]


def trials_at_zero(session: OwnSession) -> None:
    relative_to_trials(session)
    session.start, session.stop = np.zeros(40), np.zeros(40)


def swapped(session: OwnSession) -> None:
    session.start, session.stop = session.stop, session.start


def one_swapped(session: OwnSession) -> None:
    session.start[7], session.stop[7] = 6.5, 6.25


def without_stop(session: OwnSession) -> None:
    session.stop[[3, 8]] = np.nan


def another_clock(session: OwnSession) -> None:
    session.spikes = [spikes + 100 for spikes in session.spikes]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (
            in_milliseconds,
            "e+04 s, trials from 0.2 to 35.7 s: are they in milliseconds? divide them by 1000; NWB stores",
        ),
        (
            in_samples,
            "e+06 s, trials from 0.2 to 35.7 s, and all spike times are whole numbers: are they sample numbers?",
        ),
        (
            trials_in_milliseconds,
            "s, trials from 200 to 3.57e+04 s: are trial times in milliseconds, or sample numbers?",
        ),
        (all_in_milliseconds, "spikes/s on average: are all times in milliseconds? divide them by 1000"),
        (on_unix_clock, "spike times start at 1.6e+09 s: are they on a Unix clock (2020-09-13)? subtract the start"),
        (relative_to_trials, "s, trials from 0.2 to 35.7 s: are spike times relative to each trial? add the start of"),
        (trials_at_zero, "'start_time' is 0 s in all 40 trials, so it looks relative to each trial"),
        (
            swapped,
            "trials in rows 0, 1, 2, 3, 4, ... of the trial table (from 0) have a stop_time before their start_time "
            "(row 0: from ",
        ),
        (swapped, "are the two columns swapped? correct the table"),
        (
            one_swapped,
            "rows 7 of the trial table (from 0) have a stop_time before their start_time (row 7: from 6.5 s to ",
        ),
        (
            without_stop,
            "trials in rows 3, 8 of the trial table (from 0) have no stop_time, which sets the window: write",
        ),
        (another_clock, "s, trials from 0.2 to 35.7 s: no spike is within the trials; are both on the same clock?"),
    ],
)
def test_times_that_are_not_seconds_of_the_session_are_recognized(
    change: Callable[[OwnSession], None], says: str, file: Path
) -> None:
    session = OwnSession()
    change(session)
    said = refusal(session.write(file))
    assert says in said
    assert len(said.splitlines()) == 1


def test_trials_without_stop_time_are_read_in_a_given_window(file: Path) -> None:
    session = OwnSession()
    without_stop(session)
    assert opened(session.write(file), window_ms=(0, 500)).train_val.n_trials == 40


def test_trials_that_stop_before_their_event_need_a_window(file: Path) -> None:
    session = OwnSession()
    session.columns["reward"] = list(session.stop + 0.05)
    path = session.write(file)
    assert "most trials stop before reward: set window_ms, relative to reward" in refusal(path, align="reward")
    assert opened(path, align="reward", window_ms=(-300, 0)).n_window_bins == 30


def test_recording_that_goes_on_for_hours_after_the_trials_is_read(file: Path) -> None:
    """Sleep after the task, with spikes up to 300 times the end of the trials."""
    session = OwnSession()
    whole = opened(session.write(file.with_name("task.nwb")))
    sleep = np.random.default_rng(0).uniform(100, 10_800, (12, 8000))
    session.spikes = [np.append(spikes, np.sort(asleep)) for spikes, asleep in zip(session.spikes, sleep, strict=True)]
    np.testing.assert_array_equal(opened(session.write(file)).train_val.counts, whole.train_val.counts)


@pytest.mark.parametrize(
    ("times", "says"),
    [
        (
            None,
            "so 2 samples of 4000 dimensions; is it transposed? its transpose would be 4000 samples of 2",
        ),
        (
            np.arange(4000) / 100,
            "so 2 samples, but 4000 timestamps; is it transposed? its transpose would be 4000 samples of 2 dimensions",
        ),
        (np.arange(3000) / 100, "so 2 samples, but 3000 timestamps: store samples in rows"),
    ],
)
def test_transposed_behaviour_is_refused(times: Any, says: str, file: Path) -> None:
    path = add_series(OwnSession().write(file), vel={"data": np.zeros((2, 4000)), "rate": 100.0})
    if times is not None:  # pynwb does not write them
        with h5py.File(path, "a") as nwb:
            del nwb["processing/behavior/vel/starting_time"]
            nwb["processing/behavior/vel/timestamps"] = times
    said = refusal(path, behavior="vel")
    assert "time series 'processing/behavior/vel' has the shape (2, 4000), " in said
    assert says in said


def test_file_that_is_open_for_writing_elsewhere_is_refused(file: Path) -> None:
    path = OwnSession().write(file)
    hold = f"import h5py; file = h5py.File({str(path)!r}, 'a'); print('open', flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", hold], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        other.stdout.readline()
        said = refusal(path)
        other.communicate(b"\n")
    assert f"{path} is open for writing in another program" in said
    assert "complete HDF5 file" not in said
    opened(path)


@pytest.mark.parametrize(("code", "name"), [(32015, "zstd"), (32001, "blosc"), (60123, "filter 60123")])
def test_file_that_needs_a_filter_that_is_not_installed_is_refused(code: int, name: str, file: Path) -> None:
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
    said = refusal(path)
    assert f"{path} is compressed with {name} (in units/spike_times), which HDF5 cannot read here" in said


def test_splits_are_read_in_other_words(file: Path) -> None:
    session = OwnSession()
    words = ["Train", "TRAINING", "train ", "valid", "Validation", "VAL", "test", "Testing", "Held", "none"]
    session.columns["part"] = words * 4
    recording = opened(session.write(file), split="part")
    assert recording.test is not None
    assert (recording.train.n_trials, recording.val.n_trials, recording.test.n_trials) == (12, 12, 8)


def in_microseconds(session: OwnSession) -> None:
    session.spikes = [np.round(1e6 * spikes) for spikes in session.spikes]


def all_in_microseconds(session: OwnSession) -> None:
    in_microseconds(session)
    session.start, session.stop = np.round(1e6 * session.start), np.round(1e6 * session.stop)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (in_microseconds, "all spike times are whole numbers: are they in microseconds? divide them by 1e6"),
        (all_in_microseconds, "are all times sample numbers, milliseconds or microseconds? divide both by"),
    ],
)
def test_whole_numbers_are_recognized_as_another_unit(
    change: Callable[[OwnSession], None], says: str, file: Path
) -> None:
    session = OwnSession()
    change(session)
    assert says in refusal(session.write(file))


def test_events_relative_to_each_trial_are_refused(file: Path) -> None:
    session = OwnSession()
    session.columns["go"] = np.linspace(0.05, 0.2, 40).tolist()
    said = refusal(session.write(file), align="go", window_ms=(0, 300))
    assert "'go' is 0.0615385 s in row 3, whose trial is from " in said
    assert "so it looks relative to each trial: add the start of the trial to its times" in said


def test_events_after_trials_are_read(file: Path) -> None:
    """Trials may be intervals much shorter than the time to their events, such as cues."""
    session = OwnSession()
    session.stop = session.start + 0.02
    session.columns["reward"] = (session.start + 0.3).tolist()
    assert opened(session.write(file), align="reward", window_ms=(-200, 100)).train_val.n_trials == 40


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
        (shifted_back, "the timestamps of time series 'paw' go back (from 9.99 s to 5 s after sample 999, from 0): if"),
        (
            lambda series: series.create_dataset("timestamps", data=10.0 * np.arange(len(series["data"]))),
            "the timestamps of time series 'paw' go up to 3.62e+04 s, but trials end at ",
        ),
        (without_rate, "time series 'acquisition/paw' has no positive rate: correct it, or write timestamps"),
        (in_text, "time series 'acquisition/paw' has values of the type |S4, not numbers: name another"),
    ],
)
def test_behaviour_that_cannot_be_placed_in_time_is_refused(
    change: Callable[[h5py.Group], None], says: str, file: Path
) -> None:
    path = OwnSession().write(file)
    with h5py.File(path, "a") as nwb:
        del nwb["acquisition/paw/starting_time"]
        change(nwb["acquisition/paw"])
    assert says in refusal(path, behavior="paw")


@pytest.mark.parametrize("bin_ms", [5, 20, 50, 100])
def test_neurons_that_fire_only_after_the_event_have_one_rate_in_all_bins(bin_ms: int, file: Path) -> None:
    """Spikes 10 to 13 ms after an event that is between the bins of the session, and none in forward bins."""
    session = OwnSession()
    session.start += 0.0037 * np.arange(40) % 0.05
    rng = np.random.default_rng(0)
    numbers = rng.poisson(2, (12, 40))
    session.spikes = [np.sort(np.repeat(session.start, n) + rng.uniform(0.010, 0.013, n.sum())) for n in numbers]
    recording = opened(session.write(file), bin_ms, window_ms=(0, 300))
    assert recording.n_forward_bins == 0
    assert "the forward bins of a split have no spikes, so there are no forward bins" in recording.choices
    assert recording.train_val.counts.sum() == numbers.sum()
    assert "the heldin_forward counts of train have no spikes" in refusal(
        file, bin_ms, window_ms=(0, 300), forward_ms=200
    )


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
