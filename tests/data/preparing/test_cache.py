"""Cache entries are complete or absent, even if processes are killed, and are made once."""

import json
import logging
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

from nlb_search.data.errors import DataError
from nlb_search.data.opening import open_recording
from nlb_search.data.preparing.cache import cache_folder
from nlb_search.data.recording import Recording
from tests.helpers.processes.in_process import open_in_process
from tests.helpers.recordings import foreign_nwb

OPEN = """
import logging, os, signal, sys
from pathlib import Path
from nlb_search.data.opening import open_recording

logging.basicConfig(level=logging.INFO)
{before}
open_recording(sys.argv[1], Path(sys.argv[2]), 5, Path(sys.argv[3]))
{after}
"""
MAKE = """
import os, signal, sys, time
from pathlib import Path
import nlb_search.data.nlb.tensors
from nlb_search.data.preparing.subprocess_runner import Request
from nlb_search.data.nlb.source import BenchmarkRecording
from nlb_search.data.datasets import dataset_named
from nlb_search.data.dataset_files import find_files
from nlb_search.data.preparing.subprocess_main import main

dataset, cache = dataset_named(sys.argv[1]), Path(sys.argv[3])
source = BenchmarkRecording(dataset, find_files(dataset, Path(sys.argv[2])), 5)
{before}
main(Request(source, cache, source.content_hash(cache / "hashes.json"), 300).as_json())
"""
READERS = ("nlb_tools", "pynwb", "pandas", "h5py", "scipy")


@pytest.fixture(scope="module")
def written(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("written")
    foreign_nwb.write_recording(folder / "mc_rtt", "mc_rtt", trials=16, neurons=5)
    return folder


@pytest.fixture(scope="module")
def prepared(written, tmp_path_factory) -> Recording:
    """The recording of mc_rtt in a cache that is never changed."""
    return open_recording("mc_rtt", written, 5, tmp_path_factory.mktemp("prepared"))


@pytest.fixture
def data(written, tmp_path) -> Path:
    """A recording of mc_rtt for a test to change."""
    shutil.copytree(written / "mc_rtt", tmp_path / "data" / "mc_rtt")
    return tmp_path / "data"


@pytest.fixture
def cache(tmp_path) -> Path:
    return tmp_path / "cache"


def opener(data: Path, cache: Path, before: str = "", after: str = "") -> subprocess.Popen[str]:
    """A process that opens the recording."""
    code = OPEN.format(before=before, after=after)
    return subprocess.Popen(
        [sys.executable, "-c", code, "mc_rtt", str(data), str(cache)], stderr=subprocess.PIPE, text=True
    )


def maker(data: Path, cache: Path, before: str) -> subprocess.Popen[str]:
    """The subprocess that makes the entry, after running the code ``before``."""
    return subprocess.Popen(
        [sys.executable, "-c", MAKE.format(before=before), "mc_rtt", str(data), str(cache)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def entries(cache: Path) -> list[Path]:
    """All folders in the cache, complete or not."""
    return sorted(path for path in cache.iterdir() if path.is_dir())


def assert_equal(one: Recording, other: Recording) -> None:
    for split in ("train", "val", "train_val", "test"):
        for field, counts in vars(getattr(one, split)).items():
            np.testing.assert_array_equal(counts, getattr(getattr(other, split), field))
    with h5py.File(one.val_targets) as file, h5py.File(other.val_targets) as expected:
        for name, values in expected["mc_rtt"].items():
            np.testing.assert_array_equal(file["mc_rtt"][name], values)


def test_opening_does_not_import_nwb_readers(data, cache):
    loaded = f"print('read by', *sys.modules.keys() & {READERS}, file=sys.stderr)"
    first = opener(data, cache, after=loaded)
    log = first.communicate()[1].splitlines()
    assert log[0].startswith("INFO:nlb_search.data.preparing.cache:preparing mc_rtt at 5 ms")
    assert log[-1] == "read by"

    again = opener(data, cache, after=loaded)
    assert again.communicate()[1].strip() == "read by"
    assert again.returncode == 0


def test_concurrent_processes_prepare_once(data, cache):
    both = [opener(data, cache) for _ in range(2)]
    logs = [process.communicate()[1] for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert sum(log.count("preparing mc_rtt") for log in logs) == 1
    assert len(entries(cache)) == 1


@pytest.mark.parametrize(
    "doomed",
    [
        pytest.param("nlb_search.data.nlb.tensors.make_targets = die", id="while the tensors are made"),
        pytest.param("os.rename = die", id="before the entry gets its name"),
    ],
)
def test_killed_preparation_leaves_no_entry(data, cache, prepared, doomed):
    die = "die = lambda *a, **k: os.kill(os.getpid(), signal.SIGKILL)\n"
    killed = maker(data, cache, before=die + doomed)
    assert killed.stdout is not None
    assert "preparing mc_rtt" in killed.stdout.read()
    assert killed.wait() == -signal.SIGKILL
    assert all(path.suffix == ".partial" for path in entries(cache))

    recording = open_recording("mc_rtt", data, 5, cache)
    assert entries(cache) == [recording.val_targets.parent]
    assert_equal(recording, prepared)


def test_waiting_process_prepares_after_writer_is_killed(data, cache):
    first = maker(data, cache, before="nlb_search.data.nlb.tensors.make_targets = lambda *a, **k: time.sleep(60)")
    assert first.stdout is not None
    assert "preparing" in first.stdout.readline()
    second = opener(data, cache)
    assert second.stderr is not None
    assert "waiting for another process to prepare mc_rtt" in second.stderr.readline()
    first.kill()
    first.communicate()
    assert "prepared mc_rtt" in second.communicate()[1]
    assert second.returncode == 0


def remove(path: Path) -> None:
    path.unlink()


def halve(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def empty(path: Path) -> None:
    os.truncate(path, 0)


def relist(path: Path) -> None:
    listed = json.loads(path.read_bytes())
    del listed["sizes"]["train.npy"]
    path.write_text(json.dumps(listed))


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("train.npy", remove),
        ("val.npy", halve),
        ("test.npy", empty),
        ("val_targets.h5", halve),
        ("recording.json", remove),
        ("recording.json", halve),
        ("recording.json", relist),
        ("recording.json", lambda path: path.write_text("[]")),
    ],
)
def test_damaged_entry_is_recreated(written, cache, prepared, name, damage):
    shutil.copytree(prepared.val_targets.parent.parent, cache)
    (entry,) = entries(cache)
    damage(entry / name)
    repaired = open_in_process("mc_rtt", written, 5, cache)
    assert entries(cache) == [entry]
    assert repaired.val_targets.parent == entry
    assert_equal(repaired, prepared)


def test_complete_entry_is_reused(data, cache):
    entry = open_recording("mc_rtt", data, 5, cache).val_targets.parent
    made = entry.stat()
    open_recording("mc_rtt", data, 5, cache)
    assert entry.stat() == made


def test_entry_per_content_and_bin_width(data, cache):
    first = open_in_process("mc_rtt", data, 5, cache)
    wide = open_in_process("mc_rtt", data, 20, cache)
    with h5py.File(data / "mc_rtt" / "my-train-set.nwb", "r+") as file:
        times = file["units/spike_times"]
        times[0] = 1.0 if times[0] < 1.0 else 0.9
    moved = open_in_process("mc_rtt", data, 5, cache)
    (data / "mc_rtt" / "my-test-set.nwb").unlink()
    without_test = open_in_process("mc_rtt", data, 5, cache)
    recordings = (first, wide, moved, without_test)
    assert len({recording.content_hash for recording in recordings}) == 3
    assert first.content_hash == wide.content_hash
    assert len(entries(cache)) == 4
    assert without_test.test is None
    assert (first.group, wide.group) == ("mc_rtt", "mc_rtt_20")


def test_moved_files_share_an_entry(data, cache, tmp_path):
    first = open_recording("mc_rtt", data, 5, cache)
    shutil.move(data / "mc_rtt", tmp_path / "elsewhere" / "000129" / "sub-Indy")
    moved = open_recording("mc_rtt", tmp_path / "elsewhere", 5, cache)
    assert moved.val_targets == first.val_targets


def test_files_changed_while_reading_are_rejected(data, cache, caplog):
    class Change(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if "preparing" in record.getMessage():
                with (data / "mc_rtt" / "my-test-set.nwb").open("ab") as file:
                    file.write(b"more")

    caplog.set_level(logging.INFO, "nlb_search.data.preparing.cache")
    handler = Change()
    logging.getLogger("nlb_search.data.preparing.cache").addHandler(handler)
    try:
        with pytest.raises(DataError, match="changed while they were read"):
            open_recording("mc_rtt", data, 5, cache)
    finally:
        logging.getLogger("nlb_search.data.preparing.cache").removeHandler(handler)
    assert entries(cache) == []
    assert open_recording("mc_rtt", data, 5, cache).test is not None


def test_unwritable_cache_error_names_the_variable(data, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match=r"file/cache cannot be written \(Not a directory\).*NLB_SEARCH_CACHE"):
        open_recording("mc_rtt", data, 5, tmp_path / "file" / "cache")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_read_only_cache_serves_existing_entries(data, cache):
    open_recording("mc_rtt", data, 5, cache)
    cache.chmod(0o555)
    try:
        assert open_recording("mc_rtt", data, 5, cache).train.n_trials == 10
        with pytest.raises(DataError, match="NLB_SEARCH_CACHE"):
            open_recording("mc_rtt", data, 20, cache)
    finally:
        cache.chmod(0o755)


def test_cache_folder_from_environment(data, tmp_path, monkeypatch):
    monkeypatch.setenv("NLB_SEARCH_CACHE", str(tmp_path / "named"))
    assert open_recording("mc_rtt", data).val_targets.is_relative_to(tmp_path / "named")
    monkeypatch.setenv("NLB_SEARCH_CACHE", "")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_folder().is_relative_to(tmp_path)


def test_unknown_datasets_and_bin_widths_are_rejected(data, cache):
    with pytest.raises(DataError, match=r"unknown dataset 'mc_rrt': .*mc_rtt"):
        open_recording("mc_rrt", data, 5, cache)
    with pytest.raises(DataError, match="bins of 10 ms: choose 5 or 20"):
        open_recording("mc_rtt", data, 10, cache)
    assert not cache.exists()
