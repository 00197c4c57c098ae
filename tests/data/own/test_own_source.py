"""Names, settings and file formats of your own recordings."""

import tomllib
from pathlib import Path

import h5py
import numpy as np
import pytest

from nlb_search.data import from_arrays
from nlb_search.data.errors import DataError
from nlb_search.data.opening import open_recording
from nlb_search.data.own.recording_settings import RecordingSettings, read_settings
from tests.helpers.processes.in_process import open_in_process
from tests.helpers.recordings.toy_arrays import toy_arrays


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("own") / "toy.h5"
    from_arrays(path, toy_arrays(), cache=path.parent / "cache")
    return path


@pytest.mark.parametrize(
    ("name", "bin_ms", "says"),
    [
        ("mc_rtt", 5, "mc_rtt is a dataset of the benchmark, but .*toy.h5 is a file: give the folder"),
        ("my session", 5, "'my session' is not a valid name for a recording: use letters, digits, _ and -"),
        ("../up", 5, "'../up' is not a valid name"),
        ("mine", 0, "bins of 0 ms are not supported: choose a bin width from 1 to 1000 ms"),
        ("mine", 1001, "bins of 1001 ms are not supported"),
    ],
)
def test_invalid_names_and_bin_widths_are_rejected(
    name: str, bin_ms: int, says: str, file: Path, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match=says):
        open_recording(name, file, bin_ms, tmp_path)


def test_unknown_name_without_file_is_rejected(tmp_path: Path) -> None:
    for data, what in ((tmp_path, "is neither"), (tmp_path / "typo.h5", "does not exist")):
        with pytest.raises(DataError) as raised:
            open_recording("mine", data, 5, tmp_path)
        assert "unknown dataset 'mine': choose one of mc_maze, mc_rtt" in str(raised.value)
        assert f"give its file or its phy folder with --data: {data} {what}" in str(raised.value)


def test_settings_are_rejected_for_benchmark_datasets(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="mc_rtt is a dataset of the benchmark, with fixed window and splits"):
        open_recording("mc_rtt", tmp_path, 5, tmp_path, RecordingSettings())


def test_files_that_are_not_recordings_are_rejected(file: Path, tmp_path: Path) -> None:
    cached = open_recording("toy", file, 5, file.parent / "cache").val_targets
    with h5py.File(tmp_path / "submission.h5", "w") as submission:
        submission["toy/eval_rates_heldout"] = np.zeros((2, 2, 2))
    with h5py.File(tmp_path / "two.h5", "w") as two:
        for group in ("a", "b"):
            for name, values in toy_arrays().items():
                if "_spikes_" in name:
                    two[f"{group}/{name}"] = values
    h5py.File(tmp_path / "empty.h5", "w").close()
    (tmp_path / "notes.txt").write_text("a year of notes")
    (tmp_path / "cut.h5").write_bytes(file.read_bytes()[:3000])
    for path, says in (
        (tmp_path / "submission.h5", "is not a recording (it is a submission with the rates of toy)"),
        (cached, "lacks train_spikes_heldin, train_spikes_heldout, eval_spikes_heldin"),
        (cached.parent / "train.npy", "is a single NumPy array: save all arrays by name in one .npz file"),
        (tmp_path / "two.h5", "has several recordings, in the groups a, b"),
        (tmp_path / "empty.h5", "is not a recording (it is empty): give an NWB file"),
        (tmp_path / "notes.txt", "is not a complete HDF5 file"),
        (tmp_path / "cut.h5", "is not a complete HDF5 file"),
    ):
        with pytest.raises(DataError) as raised:
            open_in_process("mine", path, 5, tmp_path / "cache")
        assert f"{path} {says}" in str(raised.value)
        assert len(str(raised.value).splitlines()) == 1
    assert not [entry for entry in (tmp_path / "cache").iterdir() if entry.is_dir()]


def test_read_settings(tmp_path: Path) -> None:
    path = tmp_path / "session.toml"
    path.write_text('align = "go_cue"\nwindow_ms = [-100, 450]\nheldout = 0.3\n')
    assert read_settings(path) == RecordingSettings(align="go_cue", window_ms=(-100, 450), heldout=0.3)


def test_settings_examples_in_docs(tmp_path: Path) -> None:
    page = (Path(__file__).parents[3] / "docs" / "recordings.md").read_text()
    examples = [part.partition("```")[0] for part in page.split("```toml\n")[1:]]
    path = tmp_path / "session.toml"
    described: set[str] = set()
    for example in examples:
        path.write_text(example)
        read_settings(path)
        described |= set(tomllib.loads(example))
    assert described == set(RecordingSettings.model_fields)


def test_settings_that_are_added_later_do_not_change_the_hash_of_a_recording() -> None:
    """Studies of version 0.4.0 have stored hashes with exactly these settings."""
    first = ("heldout", "align", "window_ms", "forward_ms", "split", "val_share", "behavior", "lag_ms")
    assert tuple(RecordingSettings(window_ms=(0, 400)).hashed()) == first
    assert RecordingSettings(min_rate_hz=1).hashed()["min_rate_hz"] == 1


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("align = ", " is not a valid TOML file"),
        ("alignment = 'go'", ": unknown setting 'alignment': choose one of heldout, units"),
        ("heldout = 1", ": 'heldout' cannot be 1 (a fraction of the neurons must be between 0 and 1)"),
        ("heldout = 0.0", ": 'heldout' cannot be 0.0"),
        ("window_ms = [450, -100]", ": 'window_ms' cannot be [450, -100] (a window must end after it starts)"),
        ("window_ms = 450", ": 'window_ms' cannot be 450"),
        ("forward_ms = -5", ": 'forward_ms' cannot be -5"),
        ("val_share = 1.5", ": 'val_share' cannot be 1.5"),
        ("align = 3", ": 'align' cannot be 3"),
        ("heldout = []", ": 'heldout' cannot be [] (a list of unit ids must have at least one id, and each id once)"),
        ("heldout = [3, 3]", ": 'heldout' cannot be [3, 3]"),
        ('units = "quality = 3"', ": 'units' cannot be 'quality = 3' (not a valid expression: compare columns"),
        ("within = 'epochs'", ": within has no effect without cut_ms: set cut_ms, or remove within"),
        ("cut_ms = 2000\nalign = 'go'", ": align is for trials, and cut_ms for windows without trials: remove one"),
        ("cut_ms = 2000\nwithin_rows = 'a > 3'", ": within_rows needs within"),
        (
            "cut_ms = 2000\nval_share = 0.5",
            ": val_share is 0.5, but with cut_ms, val and test must leave some for train",
        ),
    ],
)
def test_invalid_settings_files_are_rejected(text: str, says: str, tmp_path: Path) -> None:
    path = tmp_path / "session.toml"
    path.write_text(text)
    with pytest.raises(DataError) as raised:
        read_settings(path)
    assert f"{path}{says}" in str(raised.value)


def test_missing_settings_file_is_rejected(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"cannot read the settings .*none.toml: No such file"):
        read_settings(tmp_path / "none.toml")
