import subprocess
import sys
from pathlib import Path

import h5py
import pytest

from nlb_search.data.dataset_files import RecordingFiles, find_files, read_contents
from nlb_search.data.datasets import dataset_named
from nlb_search.data.errors import DataError

MC_RTT = dataset_named("mc_rtt")


def touch(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


@pytest.mark.parametrize(
    "folder", ["mc_rtt", "mc_rtt/deep/down", "000129/sub-Indy", "sub-Indy", "."], ids=lambda folder: folder
)
def test_files_are_found_in_every_supported_location(tmp_path, folder):
    train, test = tmp_path / folder / "sub-Indy_desc-train.nwb", tmp_path / folder / "sub-Indy_desc-test.nwb"
    touch(train, test)
    assert find_files(MC_RTT, tmp_path) == RecordingFiles(train, test)


def test_precedence_of_locations(tmp_path):
    places = [tmp_path / "mc_rtt" / "train.nwb", tmp_path / "000129" / "train.nwb", tmp_path / "train.nwb"]
    touch(*places)
    for place in places:
        assert find_files(MC_RTT, tmp_path).train == place
        place.unlink()


def test_files_of_other_datasets_are_ignored(tmp_path):
    touch(tmp_path / "mc_rtt" / "train.nwb", tmp_path / "mc_maze" / "train.nwb", tmp_path / "000128" / "train.nwb")
    assert find_files(MC_RTT, tmp_path).train == tmp_path / "mc_rtt" / "train.nwb"


def test_recording_without_test_file(tmp_path):
    touch(tmp_path / "mc_rtt" / "TRAIN_set.nwb", tmp_path / "mc_rtt" / "notes.nwb", tmp_path / "mc_rtt" / "test.h5")
    assert find_files(MC_RTT, tmp_path) == RecordingFiles(tmp_path / "mc_rtt" / "TRAIN_set.nwb", None)


def test_file_name_takes_precedence_over_folder_name(tmp_path):
    data = tmp_path / "test-of-train"
    touch(data / "latest_train.nwb", data / "._latest_train.nwb")
    assert find_files(MC_RTT, data) == RecordingFiles(data / "latest_train.nwb", None)


@pytest.mark.parametrize("data", ["absent", "empty"])
def test_missing_files_error_names_locations_and_fetch(tmp_path, data):
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError) as raised:
        find_files(MC_RTT, tmp_path / data)
    looked, advice = str(raised.value).splitlines()
    for place in ("mc_rtt", "000129", ""):
        assert str(tmp_path / data / place) in looked
    assert "DANDI:000129" in advice
    assert "nlb-search fetch mc_rtt" in advice
    assert "nlb-search synthesize mc_rtt" in advice


@pytest.mark.parametrize(
    ("names", "count"),
    [
        (["train_1.nwb", "train_2.nwb"], "2 training and 0 test"),
        (["train.nwb", "test_1.nwb", "test_2.nwb"], "1 training and 2 test"),
        (["test.nwb"], "0 training and 1 test"),
        (["recording.nwb"], "0 training and 0 test"),
    ],
)
def test_ambiguous_files_are_rejected(tmp_path, names, count):
    touch(*(tmp_path / "mc_rtt" / name for name in names))
    with pytest.raises(DataError, match=count) as raised:
        find_files(MC_RTT, tmp_path)
    assert all(name in str(raised.value) for name in names)


def test_file_that_another_program_writes_is_not_called_incomplete(tmp_path):
    path = tmp_path / "train.nwb"
    h5py.File(path, "w").close()
    hold = f"import h5py; file = h5py.File({str(path)!r}, 'a'); print('open', flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", hold], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        other.stdout.readline()
        with pytest.raises(DataError, match=r"train.nwb is open for writing in another program") as raised:
            read_contents(path)
        other.communicate(b"\n")
    assert "complete NWB file" not in str(raised.value)
    assert read_contents(path).series == {}
