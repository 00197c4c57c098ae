"""Making a recording from pynapple's objects."""

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pynapple as nap
import pytest

from nlb_search.data import from_pynapple
from nlb_search.data.errors import DataError
from nlb_search.data.own.recording_settings import RecordingSettings
from tests.helpers.processes.in_process import open_in_process
from tests.helpers.recordings.own_nwb import OwnSession

SETTINGS: dict[str, Any] = {"align": "go", "window_ms": (-100, 300), "units": "area == 'M1'", "condition": "side"}


def objects(session: OwnSession, support: nap.IntervalSet | None = None) -> tuple[nap.TsGroup, nap.IntervalSet]:
    areas = session.units["area"]
    units = nap.TsGroup(
        {20 + unit: nap.Ts(spikes) for unit, spikes in enumerate(session.spikes)},
        time_support=support,
        metadata={"area": areas},
    )
    trials = nap.IntervalSet(session.start, session.stop, metadata=dict(session.columns))
    return units, trials


@pytest.fixture
def session() -> OwnSession:
    session = OwnSession()
    session.columns = {"go": list(session.start + 0.1), "side": ["left", "right"] * 20}
    session.units["area"] = ["M1"] * 9 + ["V1"] * 3
    return session


def test_objects_are_read_as_an_nwb_file_of_the_same_session(session: OwnSession, tmp_path: Path) -> None:
    times = np.arange(0, session.end, 0.01)
    behavior = nap.TsdFrame(times, np.stack([session.latent(times), np.cos(times)], axis=1))
    made = from_pynapple(
        tmp_path / "nap.h5", *objects(session), behavior=behavior, bin_ms=10, cache=tmp_path / "cache", **SETTINGS
    )
    nwb = session.write(tmp_path / "session.nwb")
    expected = open_in_process("nap", nwb, 10, tmp_path / "cache", RecordingSettings(behavior="paw", **SETTINGS))
    np.testing.assert_array_equal(made.train_val.counts, expected.train_val.counts)
    with h5py.File(made.val_targets) as found, h5py.File(expected.val_targets) as wanted:
        for name in ("train_behavior", "eval_behavior", "psth"):
            np.testing.assert_allclose(found[f"nap_10/{name}"], wanted[f"nap_10/{name}"], atol=1e-9)
    assert made.choices == tuple(choice.replace("ids 9, 10, 11", "ids 29, 30, 31") for choice in expected.choices)
    again = from_pynapple(
        tmp_path / "nap.h5", *objects(session), behavior=behavior, bin_ms=10, cache=tmp_path / "cache", **SETTINGS
    )
    assert again.content_hash == made.content_hash


def test_trials_outside_the_time_support_are_rejected(session: OwnSession, tmp_path: Path) -> None:
    support = nap.IntervalSet([0, session.start[30]], [session.start[29], session.end])
    with pytest.raises(DataError, match=r"trials in rows 29 of the trial table \(from 0\) have windows that extend"):
        from_pynapple(tmp_path / "nap.h5", *objects(session, support), cache=tmp_path / "cache", forward_ms=0)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (0, "spikes must be a TsGroup of pynapple, not a list"),
        (1, "trials must be an IntervalSet of pynapple, not a list"),
    ],
)
def test_other_types_are_rejected(wrong: int, says: str, session: OwnSession, tmp_path: Path) -> None:
    given: list[Any] = list(objects(session))
    given[wrong] = [[0.1, 0.2]]
    with pytest.raises(DataError, match=says):
        from_pynapple(tmp_path / "nap.h5", *given, cache=tmp_path / "cache")


def test_other_files_are_not_overwritten(session: OwnSession, tmp_path: Path) -> None:
    path = session.write(tmp_path / "session.nwb")
    content = path.read_bytes()
    with pytest.raises(DataError, match="exists and was not written from pynapple objects"):
        from_pynapple(path, *objects(session), cache=tmp_path / "cache")
    assert path.read_bytes() == content
