"""Folders of Kilosort and phy, with trials in a CSV file."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nlb_search.data.errors import DataError
from nlb_search.data.inspection.identities import identities_of
from nlb_search.data.inspection.spike_intervals import read_intervals
from nlb_search.data.own.recording_settings import RecordingSettings
from nlb_search.data.recording import Recording
from tests.helpers.processes.in_process import open_in_process
from tests.helpers.recordings.own_nwb import OwnSession
from tests.helpers.recordings.phy_folder import write_phy_folder

GROUPS = {10 + unit: "noise" if unit == 4 else "good" for unit in range(11)}


def opened(folder: Path, **settings: Any) -> Recording:
    return open_in_process("mine", folder, 10, folder.parent / "cache", RecordingSettings(**settings))


def test_folder_gives_the_same_recording_as_the_nwb_file(tmp_path: Path) -> None:
    session = OwnSession()
    session.columns["go"] = list(session.start + 0.1)
    folder = write_phy_folder(tmp_path / "phy", session, GROUPS)
    nwb = session.write(tmp_path / "session.nwb")
    settings = {"align": "go", "window_ms": (-100, 300), "forward_ms": 50}
    of_nwb = open_in_process("mine", nwb, 10, tmp_path / "cache", RecordingSettings(**settings))
    recording = opened(folder, **settings)
    np.testing.assert_array_equal(recording.train_val.counts, of_nwb.train_val.counts)
    np.testing.assert_array_equal(recording.val.counts, of_nwb.val.counts)
    assert "the unit column 'group' is not used: set units to use it" in recording.choices


def test_good_units_are_selected(tmp_path: Path) -> None:
    """Cluster 14 is noise, and cluster 21 was not sorted."""
    folder = write_phy_folder(tmp_path / "phy", OwnSession(), GROUPS)
    settings = RecordingSettings(units="group == 'good'", heldout=(12, 15))
    recording = open_in_process("mine", folder, 10, tmp_path / "cache", settings)
    known = identities_of(recording, folder, settings)
    assert known.heldout == (12, 15)
    assert known.heldin == (10, 11, 13, 16, 17, 18, 19, 20)
    assert "left out 2 of 12 units that do not match group == 'good' (ids 14, 21)" in recording.choices
    intervals = read_intervals(folder, settings)
    assert intervals is not None
    assert [unit.unit for unit in intervals] == sorted(known.heldin + known.heldout)


def test_continuous_folder_needs_no_trials(tmp_path: Path) -> None:
    folder = write_phy_folder(tmp_path / "phy", OwnSession(n_trials=100), GROUPS)
    (folder / "trials.csv").unlink()
    assert opened(folder, cut_ms=1000).test is not None
    with pytest.raises(
        DataError, match=r"phy has no trials.csv: write a CSV file of trials with the columns start_time"
    ):
        opened(folder)


def test_sorting_on_in_phy_is_another_recording(tmp_path: Path) -> None:
    folder = write_phy_folder(tmp_path / "phy", OwnSession(), GROUPS)
    before = opened(folder, units="group == 'good'")
    table = folder / "cluster_group.tsv"
    table.write_text(table.read_text() + "21\tgood\n")
    after = opened(folder, units="group == 'good'")
    assert before.content_hash != after.content_hash
    assert after.n_heldin + after.n_heldout == before.n_heldin + before.n_heldout + 1


def test_parameters_are_never_executed(tmp_path: Path) -> None:
    folder = write_phy_folder(tmp_path / "phy", OwnSession(), GROUPS)
    marker = tmp_path / "executed"
    with (folder / "params.py").open("a") as file:
        file.write(f"open({str(marker)!r}, 'w').close()\n")
    opened(folder)
    assert not marker.exists()


def without_rate(folder: Path) -> None:
    (folder / "params.py").write_text("sample_rate = rate()\n")


def cut_times(folder: Path) -> None:
    (folder / "spike_times.npy").write_bytes((folder / "spike_times.npy").read_bytes()[:1000])


def fewer_clusters(folder: Path) -> None:
    np.save(folder / "spike_clusters.npy", np.load(folder / "spike_clusters.npy")[:-1])


def trials_in_samples(folder: Path) -> None:
    (folder / "trials.csv").write_text("start_time,stop_time\n" + "".join(f"{n}0000,{n}8000\n" for n in range(1, 60)))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (without_rate, "params.py has sample_rate = rate(), which is not a positive number of Hz: write the line"),
        (cut_times, "spike_times.npy is not a complete NumPy array"),
        (fewer_clusters, "spikes, but spike_clusters.npy has"),
        (lambda folder: (folder / "params.py").unlink(), "phy has no params.py: give a folder of Kilosort or phy"),
        (
            lambda folder: (folder / "trials.csv").write_text("start,end\n1,2\n"),
            "its columns are end, id, start; for a",
        ),
        (trials_in_samples, "are trial times in milliseconds, or sample numbers?"),
    ],
)
def test_folders_that_cannot_be_read_are_rejected(change: Callable[[Path], Any], says: str, tmp_path: Path) -> None:
    folder = write_phy_folder(tmp_path / "phy", OwnSession(), GROUPS)
    change(folder)
    with pytest.raises(DataError) as raised:
        opened(folder)
    assert says in str(raised.value)
    assert len(str(raised.value).splitlines()) == 1
