"""A subprocess that crashes or hangs while reading a damaged file is reported and never outlives its parent."""

import logging
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import psutil
import pytest

from nlb_search.data.dataset_files import RecordingFiles, find_files
from nlb_search.data.datasets import DATASETS, dataset_named
from nlb_search.data.errors import DataError
from nlb_search.data.nlb.source import BenchmarkRecording
from nlb_search.data.opening import open_recording
from nlb_search.data.own.file_format import NLB_SPIKES
from nlb_search.data.own.recording_settings import RecordingSettings
from nlb_search.data.own.source import OwnRecording
from nlb_search.data.preparing.cache import open_or_prepare
from nlb_search.data.preparing.subprocess_runner import Request
from tests.helpers.processes.command import COMMAND
from tests.helpers.recordings import foreign_nwb
from tests.helpers.recordings.toy_arrays import toy_arrays


@pytest.fixture(scope="module")
def endless(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a recording of mc_rtt that libhdf5 reads forever: its string heaps have objects of length 0."""
    data = tmp_path_factory.mktemp("endless")
    foreign_nwb.write_recording(data / "mc_rtt", "mc_rtt", trials=16, neurons=5)
    path = data / "mc_rtt" / "my-train-set.nwb"
    content = bytearray(path.read_bytes())
    heap = content.find(b"GCOL")
    while heap >= 0:
        content[heap + 16 : heap + 32] = bytes(16)
        heap = content.find(b"GCOL", heap + 1)
    path.write_bytes(content)
    return data


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def inspect(data: Path, cache: Path) -> tuple[subprocess.Popen[str], psutil.Process]:
    """A command that prepares the endless recording, and its subprocess."""
    asker = subprocess.Popen(
        [*COMMAND, "inspect", "--dataset", "mc_rtt", "--data", data],
        env=os.environ | {"NLB_SEARCH_CACHE": str(cache)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert asker.stderr is not None
    assert "preparing mc_rtt" in asker.stderr.readline()
    (reader,) = psutil.Process(asker.pid).children()
    return asker, reader


def assert_gone(process: psutil.Process) -> None:
    gone, _ = psutil.wait_procs([process], timeout=10)
    assert gone == [process]


def entries(cache: Path) -> list[Path]:
    return [path for path in cache.iterdir() if path.is_dir()]


def test_hanging_read_is_terminated(endless: Path, cache: Path) -> None:
    dataset = dataset_named("mc_rtt")
    source = BenchmarkRecording(dataset, find_files(dataset, endless), 5)
    with pytest.raises(DataError) as raised:
        open_or_prepare(source, cache, stuck_s=1)
    first, second = str(raised.value).splitlines()
    assert first == f"{endless / 'mc_rtt'} is damaged: the HDF5 library hung while reading it"
    assert second.startswith("fetch the file again")
    assert entries(cache) == []


@pytest.mark.parametrize(
    ("number", "says"),
    [
        (signal.SIGSEGV, r"mc_rtt is damaged: the HDF5 library crashed \(SIGSEGV\) while reading it"),
        (signal.SIGABRT, r"mc_rtt is damaged: the HDF5 library crashed \(SIGABRT\) while reading it"),
        (signal.SIGKILL, r"was killed by SIGKILL \(out of memory\?\): .*NLB_SEARCH_CACHE"),
    ],
)
def test_crash_of_the_subprocess_is_reported(endless: Path, cache: Path, number: signal.Signals, says: str) -> None:
    asker, reader = inspect(endless, cache)
    reader.send_signal(number)
    out, err = asker.communicate()
    assert (asker.returncode, out) == (1, "")
    lines = err.splitlines()
    assert lines[0].startswith("nlb-search: ")
    assert len(lines) <= 2
    assert re.search(says, lines[0])
    assert entries(cache) == []


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_interrupted_command_ends_its_subprocess(endless: Path, cache: Path, number: signal.Signals, code: int) -> None:
    asker, reader = inspect(endless, cache)
    asker.send_signal(number)
    assert asker.communicate() == ("", "")
    assert asker.returncode == code
    assert_gone(reader)


def test_killed_command_ends_its_subprocess(endless: Path, cache: Path) -> None:
    asker, reader = inspect(endless, cache)
    asker.kill()
    assert_gone(reader)
    asker.communicate()
    assert entries(cache) == []


def test_log_records_of_the_subprocess_are_forwarded(
    recordings: Path, cache: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "nlb_search")
    open_recording("mc_rtt", recordings, 5, cache)
    told = [record for record in caplog.records if record.getMessage().startswith("preparing mc_rtt")]
    assert [(record.name, record.levelno) for record in told] == [("nlb_search.data.preparing.cache", logging.INFO)]
    (tmp_path / "notes.h5").write_text("a year of notes")
    with pytest.raises(DataError, match="is not a complete HDF5 file"):
        open_recording("notes", tmp_path / "notes.h5", 5, cache)
    assert "traceback of the subprocess:\nTraceback" in caplog.text
    assert "hdf5_file.py" in caplog.text


def test_script_without_main_guard(tmp_path: Path) -> None:
    script = tmp_path / "mine.py"
    script.write_text(
        "import numpy\nfrom nlb_search.data import from_arrays\n"
        "print(from_arrays('mine.h5', numpy.load('arrays.npz')).name)\n"
    )
    np.savez(tmp_path / "arrays.npz", **{name: toy_arrays()[name] for name in NLB_SPIKES})
    done = subprocess.run([sys.executable, script], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr, done.returncode) == ("mine\n", "", 0)


@pytest.mark.parametrize(
    "source",
    [
        *(
            BenchmarkRecording(dataset, RecordingFiles(Path("train"), Path("test")), 20)
            for dataset in DATASETS.values()
        ),
        BenchmarkRecording(DATASETS["mc_rtt"], RecordingFiles(Path("Aufnähme \udcff/train.nwb"), None), 5),
        OwnRecording("mine", Path("mine.h5"), 7, RecordingSettings()),
        OwnRecording("mine", Path("/x/mine.nwb"), 5, RecordingSettings(heldout="probe", window_ms=(-100, 450))),
        OwnRecording("mine", Path("mine.nwb"), 5, RecordingSettings(heldout=0.1 + 0.2, behavior="hand", lag_ms=-40)),
    ],
    ids=lambda source: source.name,
)
def test_request_json_round_trip(source: BenchmarkRecording | OwnRecording) -> None:
    request = Request(source, Path("cache"), "0123", 300.0)
    assert Request.from_json(request.as_json()) == request
