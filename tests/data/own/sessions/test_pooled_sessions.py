"""Sessions of the same units, of which the trials are pooled."""

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from nlb_search.data.errors import DataError
from nlb_search.data.inspection.identities import Identities, identities_of
from nlb_search.data.inspection.inspection import inspection_of
from nlb_search.data.inspection.spike_intervals import read_intervals
from nlb_search.data.inspection.survey import survey_of
from nlb_search.data.own.recording_settings import RecordingSettings
from nlb_search.data.recording import Recording
from nlb_search.search.figures.inspection.inspection_warnings import inspection_warnings
from tests.helpers.processes.in_process import open_in_process
from tests.helpers.recordings.own_nwb import OwnSession

WINDOW: dict[str, Any] = {"window_ms": (0, 400), "forward_ms": 100, "behavior": "paw"}


def opened(path: Path, **settings: Any) -> tuple[Recording, Identities]:
    chosen = RecordingSettings(**settings)
    recording = open_in_process("days", path, 10, path.parent / "cache", chosen)
    return recording, identities_of(recording, path, chosen)


@pytest.fixture
def days(tmp_path: Path) -> list[Path]:
    """Two sessions of the same 12 units; the trials of the second are in three splits, those of the first in two."""
    first, second = OwnSession(seed=1, n_trials=40), OwnSession(seed=2, n_trials=30)
    first.columns["part"] = ["val" if row % 4 == 1 else "train" for row in range(40)]
    second.columns["part"] = [("train", "val", "test")[row % 3] for row in range(30)]
    return [first.write(tmp_path / "monday.nwb"), second.write(tmp_path / "tuesday.nwb")]


def test_trials_of_each_split_are_pooled(days: list[Path]) -> None:
    pooled, known = opened(days[0], more_sessions=("tuesday.nwb",), split="part", heldout=0.25, **WINDOW)
    each = [opened(day, split="part", heldout=known.heldout, **WINDOW) for day in days]
    for name in ("train", "val", "train_val"):
        counts = [getattr(recording, name).counts for recording, _ in each]
        np.testing.assert_array_equal(getattr(pooled, name).counts, np.concatenate(counts))
    assert pooled.test is not None
    assert each[1][0].test is not None
    np.testing.assert_array_equal(pooled.test.counts, each[1][0].test.counts)
    ids = each[0][1], each[1][1]
    assert known.heldin == ids[0].heldin
    assert known.trials["val"] == (*ids[0].trials["val"], *(40 + row for row in ids[1].trials["val"]))
    assert known.train_val == (*range(40), *(40 + row for row in range(30) if row % 3 < 2))
    with h5py.File(pooled.val_targets) as targets:
        files = [h5py.File(recording.val_targets) for recording, _ in each]
        expected = np.concatenate([file["days_10/eval_behavior"][()] for file in files])
        np.testing.assert_array_equal(targets["days_10/eval_behavior"], expected)
    assert "held out a random 3 of the 12 neurons" in pooled.choices


def test_val_and_test_are_from_each_continuous_session(days: list[Path]) -> None:
    pooled, _ = opened(days[0], more_sessions=("tuesday.nwb",), cut_ms=500)
    each = [opened(day, cut_ms=500)[0] for day in days]
    for name in ("train", "val", "test"):
        assert getattr(pooled, name).n_trials == sum(getattr(recording, name).n_trials for recording in each)


def test_another_session_is_another_recording(days: list[Path]) -> None:
    settings = {"more_sessions": ("tuesday.nwb",), **WINDOW}
    before, _ = opened(days[0], **settings)
    OwnSession(seed=3, n_trials=30).write(days[1])
    after, _ = opened(days[0], **settings)
    assert before.content_hash != after.content_hash


def test_intervals_are_those_of_all_sessions(days: list[Path]) -> None:
    each = [read_intervals(day, RecordingSettings()) for day in days]
    both = read_intervals(days[0], RecordingSettings(more_sessions=("tuesday.nwb",)))
    assert both is not None
    for unit, first, second in zip(both, each[0] or (), each[1] or (), strict=True):
        assert unit.n_spikes == first.n_spikes + second.n_spikes
        assert unit.repeated == first.repeated + second.repeated


def test_rate_of_another_session_is_compared_with_the_first(days: list[Path]) -> None:
    second = OwnSession(seed=1, n_trials=30)
    second.spikes = [spikes[::2] for spikes in second.spikes]
    second.write(days[1])
    recording, known = opened(days[0], more_sessions=("tuesday.nwb",), **WINDOW)
    found = inspection_of(survey_of(recording), identities=known)
    assert known.sessions == {"monday.nwb": 40, "tuesday.nwb": 30}
    halved = found.sessions["tuesday.nwb"]
    expected = [100 * counts.mean() for counts in np.split(recording.train_val.heldin, [40])]
    assert [halved.before_hz, halved.after_hz] == pytest.approx(expected)
    assert any("spikes/s in tuesday.nwb and" in warning for warning in inspection_warnings(found))


def test_sessions_of_other_units_are_rejected(days: list[Path]) -> None:
    with h5py.File(days[1], "a") as file:
        file["units/id"][...] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 20, 21]
    with pytest.raises(DataError) as raised:
        opened(days[0], more_sessions=("tuesday.nwb",), **WINDOW)
    said = str(raised.value)
    assert f"units 10, 11 are only in {days[0]} and units 20, 21 are only in {days[1]}" in said
    both, known = opened(days[0], more_sessions=("tuesday.nwb",), units="id < 10", **WINDOW)
    assert (both.n_heldin, both.n_heldout) == (8, 2)
    assert set(known.heldin + known.heldout) == set(range(10))


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"more_sessions": ("monday.nwb",)}, "monday.nwb is given twice, but val must not have training trials"),
        ({"more_sessions": ("wednesday.nwb",)}, "wednesday.nwb: more_sessions names files relative to the folder of"),
        (
            {"more_sessions": ("tuesday.nwb",), "forward_ms": 0},
            "set window_ms and forward_ms to what all",
        ),
    ],
)
def test_sessions_that_do_not_fit_are_rejected(settings: dict[str, Any], says: str, days: list[Path]) -> None:
    OwnSession(seed=2, n_trials=30, shortest_s=0.4).write(days[1])
    with pytest.raises(DataError) as raised:
        opened(days[0], **settings)
    assert says in str(raised.value)
