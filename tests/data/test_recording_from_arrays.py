"""Making a recording from arrays in Python."""

import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

from nlb_search.data import from_arrays
from nlb_search.data.errors import DataError
from nlb_search.data.opening import open_recording
from tests.helpers.recordings.toy_arrays import toy_arrays


def test_written_recording_round_trip(tmp_path: Path) -> None:
    arrays = toy_arrays() | {"eval_cond_idx": [[0, 2, 4], [1, 3]]}
    made = from_arrays(tmp_path / "my-session.h5", arrays, bin_ms=10, cache=tmp_path / "cache")
    assert (made.name, made.bin_ms, made.group) == ("my-session", 10, "my-session_10")
    np.testing.assert_array_equal(made.train.heldin, arrays["train_spikes_heldin"])
    np.testing.assert_array_equal(made.val.heldout_forward, arrays["eval_spikes_heldout_forward"])
    read = open_recording("my-session", tmp_path / "my-session.h5", 10, tmp_path / "cache")
    assert (read.content_hash, read.val_targets) == (made.content_hash, made.val_targets)


def test_same_arrays_give_same_content_hash(tmp_path: Path) -> None:
    first = from_arrays(tmp_path / "a.h5", toy_arrays(), name="mine", cache=tmp_path / "cache")
    again = from_arrays(tmp_path / "a.h5", toy_arrays(), name="mine", cache=tmp_path / "cache")
    other = from_arrays(tmp_path / "a.h5", toy_arrays(seed=1), name="mine", cache=tmp_path / "cache")
    assert first.content_hash == again.content_hash != other.content_hash


def test_invalid_arrays_leave_no_file(tmp_path: Path) -> None:
    from_arrays(tmp_path / "a.h5", toy_arrays(), cache=tmp_path / "cache")
    before = (tmp_path / "a.h5").read_bytes()
    ragged = toy_arrays() | {"train_spikes_heldin": [[[0, 1]], [[0, 1], [1, 1]]]}
    for arrays, says in (
        (ragged, "train_spikes_heldin is ragged"),
        (toy_arrays() | {"train_behaviour": np.zeros(3)}, "unknown array 'train_behaviour'"),
        (toy_arrays() | {"eval_spikes_heldin": np.full((16, 24, 9), -1)}, "eval_spikes_heldin has -1"),
        (toy_arrays() | {"eval_cond_idx": 5}, "eval_cond_idx must list the trial numbers of each condition, not 5"),
        ({"train_spikes_heldin": np.zeros((2, 2, 2))}, "lacks train_spikes_heldout, eval_spikes_heldin"),
    ):
        for path in (tmp_path / "a.h5", tmp_path / "b.h5"):
            with pytest.raises(DataError, match=says):
                from_arrays(path, arrays, cache=tmp_path / "cache")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.h5", "cache"]
    assert (tmp_path / "a.h5").read_bytes() == before


def test_existing_file_is_not_overwritten(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "mine.h5", "w") as file:
        file["mc_rtt/eval_rates_heldout"] = np.zeros(3)
    (tmp_path / "notes.txt").write_text("a year of notes")
    for name in ("mine.h5", "notes.txt"):
        with pytest.raises(DataError, match="exists and does not hold such arrays, so it is not overwritten"):
            from_arrays(tmp_path / name, toy_arrays(), name="mine", cache=tmp_path / "cache")


def test_missing_folder_is_rejected(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"cannot be written \(No such file or directory\)"):
        from_arrays(tmp_path / "no" / "mine.h5", toy_arrays(), cache=tmp_path / "cache")


def test_import_does_not_load_file_readers() -> None:
    code = "import sys, nlb_search.data; print(*{'h5py', 'scipy', 'pandas', 'pynwb', 'torch'} & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
