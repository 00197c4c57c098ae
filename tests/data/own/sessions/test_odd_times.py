"""Times of spikes, trials and events that are not seconds of the session are rejected for their cause."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.helpers.recordings.own_nwb import OwnSession
from tests.helpers.recordings.own_recordings import opened, rejection


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "session.nwb"


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
            "e+06 s, trials from 0.2 to 35.7 s, and all spike times are integers: are they sample numbers?",
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
    said = rejection(session.write(file))
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
    assert "most trials stop before reward: set window_ms, relative to reward" in rejection(path, align="reward")
    assert opened(path, align="reward", window_ms=(-300, 0)).n_window_bins == 30


def test_recording_that_goes_on_for_hours_after_the_trials_is_read(file: Path) -> None:
    """Sleep after the task, with spikes up to 300 times the end of the trials."""
    session = OwnSession()
    whole = opened(session.write(file.with_name("task.nwb")))
    sleep = np.random.default_rng(0).uniform(100, 10_800, (12, 8000))
    session.spikes = [np.append(spikes, np.sort(asleep)) for spikes, asleep in zip(session.spikes, sleep, strict=True)]
    np.testing.assert_array_equal(opened(session.write(file)).train_val.counts, whole.train_val.counts)


def in_microseconds(session: OwnSession) -> None:
    session.spikes = [np.round(1e6 * spikes) for spikes in session.spikes]


def all_in_microseconds(session: OwnSession) -> None:
    in_microseconds(session)
    session.start, session.stop = np.round(1e6 * session.start), np.round(1e6 * session.stop)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (in_microseconds, "all spike times are integers: are they in microseconds? divide them by 1e6"),
        (all_in_microseconds, "are all times sample numbers, milliseconds or microseconds? divide both by"),
    ],
)
def test_integers_are_recognized_as_another_unit(change: Callable[[OwnSession], None], says: str, file: Path) -> None:
    session = OwnSession()
    change(session)
    assert says in rejection(session.write(file))


def test_events_relative_to_each_trial_are_rejected(file: Path) -> None:
    session = OwnSession()
    session.columns["go"] = np.linspace(0.05, 0.2, 40).tolist()
    said = rejection(session.write(file), align="go", window_ms=(0, 300))
    assert "'go' is 0.0615385 s in row 3, whose trial is from " in said
    assert "so it looks relative to each trial: add the start of the trial to its times" in said


def test_events_after_trials_are_read(file: Path) -> None:
    """Trials may be intervals much shorter than the time to their events, such as cues."""
    session = OwnSession()
    session.stop = session.start + 0.02
    session.columns["reward"] = (session.start + 0.3).tolist()
    assert opened(session.write(file), align="reward", window_ms=(-200, 100)).train_val.n_trials == 40


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
    assert "the heldin_forward counts of train have no spikes" in rejection(
        file, bin_ms, window_ms=(0, 300), forward_ms=200
    )
