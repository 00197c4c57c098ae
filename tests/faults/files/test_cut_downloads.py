"""Failures while recordings are downloaded: no damaged file is kept, and nothing is downloaded twice."""

import resource
import signal
import subprocess
import time
from pathlib import Path

import pytest

from nlb_search.data.dandi.archive import DandiArchive
from nlb_search.data.dandi.fetching import fetch as steps
from nlb_search.data.datasets import dataset_named
from tests.helpers.processes.command import COMMAND, Outcome, call, start
from tests.helpers.servers.dandi_server import DandiServer

TRAIN = "000129/sub-Indy/my-train-set.nwb"
TEST = "000129/sub-Indy/my-test-set.nwb"
CUT = 200_000


@pytest.fixture(autouse=True)
def _no_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nlb_search.data.dandi.download.WAITS_SECONDS", (0.01, 0.01, 0.01))
    monkeypatch.setattr("dandi.dandiapi.REQUEST_RETRIES", 2)


@pytest.fixture
def whole(dandi: DandiServer) -> int:
    """Total size in bytes of all files to fetch."""
    return sum(len(content) for path, content in dandi.dandisets["000129"][1].items() if path.endswith(".nwb"))


def fetch(cwd: Path) -> Outcome:
    return call("fetch", "mc_rtt", "--data", ".", cwd=cwd)


def is_whole(dandi: DandiServer, folder: Path) -> bool:
    """Whether the folder contains exactly the server's files, byte for byte."""
    found = {path.relative_to(folder / "000129").as_posix() for path in (folder / "000129").rglob("*.*")}
    _, assets = dandi.dandisets["000129"]
    names = {path for path in assets if path.endswith(".nwb")}
    assert found == names | {"fetched.json"}
    return all((folder / "000129" / name).read_bytes() == assets[name] for name in names)


def files(folder: Path) -> list[str]:
    """Files with the name of a recording."""
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.nwb"))


def parts(folder: Path) -> list[Path]:
    return list(folder.rglob(".*.part"))


def test_interrupted_download_is_resumed(dandi: DandiServer, whole: int, tmp_path: Path):
    dandi.faults.cut_at = [CUT, CUT // 2]
    outcome = fetch(tmp_path)
    assert outcome.code == 0, outcome.err
    assert is_whole(dandi, tmp_path)
    assert whole <= dandi.sent < whole + 2 * 2**16 + 1


def test_failed_fetch_is_resumed_by_the_next(dandi: DandiServer, whole: int, tmp_path: Path):
    dandi.faults.cut_at = [CUT, *[0] * 4]
    outcome = fetch(tmp_path)
    assert outcome.code == 1
    assert "run the command again later; it resumes where it stopped" in outcome.err
    assert "secret" not in outcome.err, "the address of a redirect may hold a signature"
    assert files(tmp_path) == []
    [part] = parts(tmp_path)
    assert CUT - 2**16 < part.stat().st_size <= CUT

    dandi.sent = 0
    assert fetch(tmp_path).code == 0
    assert is_whole(dandi, tmp_path)
    assert dandi.sent <= whole - CUT + 2**16


def test_server_without_range_support_restarts_download(dandi: DandiServer, tmp_path: Path):
    dandi.faults.cut_at, dandi.faults.no_ranges = [CUT], True
    assert fetch(tmp_path).code == 0
    assert is_whole(dandi, tmp_path)


def test_partial_file_of_older_version_is_discarded(dandi: DandiServer, tmp_path: Path):
    dandi.faults.cut_at = [CUT, *[0] * 4]
    fetch(tmp_path)
    content = dandi.dandisets["000129"][1]["sub-Indy/my-test-set.nwb"]
    dandi.replace("000129", "0.2", "sub-Indy/my-test-set.nwb", content[::-1])
    assert fetch(tmp_path).code == 0
    assert (tmp_path / TEST).read_bytes() == content[::-1]


def test_corrupted_download_is_repeated(dandi: DandiServer, tmp_path: Path, caplog: pytest.LogCaptureFixture):
    dandi.faults.corrupt = 1
    outcome = fetch(tmp_path)
    assert outcome.code == 0, outcome.err
    assert "its SHA-256 is" in caplog.text
    assert is_whole(dandi, tmp_path)


def test_repeatedly_corrupted_download_leaves_no_recording(dandi: DandiServer, tmp_path: Path):
    dandi.faults.corrupt = 100
    outcome = fetch(tmp_path)
    assert outcome.code == 1
    assert "was damaged in two downloads (its SHA-256 is" in outcome.err.splitlines()[-1]
    assert files(tmp_path) == []
    assert parts(tmp_path) == []


def test_partial_file_damaged_on_disk_is_downloaded_again(dandi: DandiServer, tmp_path: Path):
    dandi.faults.cut_at = [CUT, *[0] * 4]
    fetch(tmp_path)
    [part] = parts(tmp_path)
    part.write_bytes(bytes(part.stat().st_size))
    assert fetch(tmp_path).code == 0
    assert is_whole(dandi, tmp_path)


def test_busy_server_is_retried(dandi: DandiServer, tmp_path: Path):
    dandi.faults.busy = 1
    assert fetch(tmp_path).code == 0
    assert is_whole(dandi, tmp_path)


def test_unreachable_server_is_reported_in_one_line(dandi: DandiServer, tmp_path: Path):
    dandi.shutdown()
    dandi.server_close()
    outcome = fetch(tmp_path)
    assert outcome.code == 1
    [words] = outcome.err.splitlines()
    assert f"{dandi.url} cannot be reached: check the network" in words
    assert list(tmp_path.iterdir()) == []


def test_unresponsive_server_times_out(dandi: DandiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("nlb_search.data.dandi.download.TIMEOUT_SECONDS", (1, 0.2))
    dandi.faults.hang_at = 0
    outcome = fetch(tmp_path)
    assert outcome.code == 1
    assert "run the command again later" in outcome.err


def killed(dandi: DandiServer, folder: Path, number: signal.Signals) -> int:
    """Send a signal to a fetch in the middle of a file; returns its exit code."""
    dandi.faults.hang_at = CUT
    running = start("fetch", "mc_rtt", "--data", ".", cwd=folder)
    deadline = time.monotonic() + 60
    while not any(part.stat().st_size > CUT // 2 for part in parts(folder)):
        assert running.poll() is None, (folder / "log").read_text()
        assert time.monotonic() < deadline
        time.sleep(0.02)
    running.send_signal(number)
    dandi.faults.hang_at = None
    return running.wait(120)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_killed_fetch_is_resumed(number: signal.Signals, dandi: DandiServer, whole: int, tmp_path: Path):
    code = killed(dandi, tmp_path, number)
    assert code == {signal.SIGINT: 130, signal.SIGKILL: -signal.SIGKILL}[number]
    assert "Traceback" not in (tmp_path / "log").read_text()
    assert files(tmp_path) == []
    dandi.sent = 0
    assert fetch(tmp_path).code == 0
    assert is_whole(dandi, tmp_path)
    assert dandi.sent < whole


def test_concurrent_fetches_do_not_write_the_same_file(dandi: DandiServer, tmp_path: Path):
    other = steps(dataset_named("mc_rtt"), tmp_path, DandiArchive(dandi.url))
    next(other)
    outcome = fetch(tmp_path)
    assert outcome.code == 1
    assert f"another process is fetching {TEST}" in outcome.err
    for _ in other:
        pass
    assert is_whole(dandi, tmp_path)


def test_insufficient_disk_space_is_reported_before_download(dandi: DandiServer, disk: Path):
    outcome = fetch(disk)
    assert outcome.code == 1
    assert "MB are needed: free some space" in outcome.err
    assert dandi.sent == 0
    assert list(disk.iterdir()) == []


def test_full_disk_keeps_partial_download(dandi: DandiServer, whole: int, tmp_path: Path):
    limited = subprocess.run(
        [*COMMAND, "fetch", "mc_rtt", "--data", "."],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (CUT, CUT)),
    )
    assert limited.returncode == 1
    assert (
        "cannot be written (File too large): fix this, for example by freeing space" in limited.stderr.splitlines()[-1]
    )
    assert files(tmp_path) == []

    dandi.sent = 0
    assert fetch(tmp_path).code == 0
    assert is_whole(dandi, tmp_path)
    assert dandi.sent < whole - CUT // 2


@pytest.mark.usefixtures("dandi")
def test_unwritable_folder_is_named(tmp_path: Path):
    (tmp_path / "000129").touch()
    outcome = fetch(tmp_path)
    assert outcome.code == 1
    assert f"{TEST} cannot be written" in outcome.err
    assert (tmp_path / "000129").read_bytes() == b""
