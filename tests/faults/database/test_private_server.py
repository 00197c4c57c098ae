"""A search with ``--storage postgres-local:DIR``: launcher and workers share one server."""

import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.helpers.processes.command import start


@pytest.fixture
def folder() -> Iterator[Path]:
    # Not in pytest's temporary folder: its path is too long, and the server's user cannot access it if run as root.
    with tempfile.TemporaryDirectory(prefix="nlb-search-") as folder:
        yield Path(folder)


@pytest.fixture
def launcher(folder: Path, recordings: Path) -> Iterator[subprocess.Popen[str]]:
    """A search by one worker that has started its first trial."""
    options = ("--trials", "3", "--epochs", "1000", "--workers", "1", "--data", recordings)
    launcher = start(
        *("launch", "study", "--dataset", "mc_rtt", "--arch", "rnnf", "--storage", "postgres-local:pg", *options),
        cwd=folder,
    )
    try:
        until = time.monotonic() + 120
        while not _running(folder):
            assert launcher.poll() is None, (folder / "log").read_text()
            assert time.monotonic() < until, (folder / "log").read_text()
            time.sleep(0.2)
        yield launcher
    finally:
        launcher.terminate()
        launcher.wait()


def _running(folder: Path) -> int:
    """Number of running trials, read through the server's socket."""
    try:
        with psycopg.connect(host=f"{folder}/pg/postgresql", user="postgres") as connection:
            (count,) = connection.execute("SELECT count(*) FROM trials WHERE state = 'RUNNING'").fetchall()
    except psycopg.Error:
        return 0
    return int(count[0])


def test_terminated_launch_stops_its_server(launcher: subprocess.Popen[str], folder: Path) -> None:
    note = folder / "pg" / "postgresql" / "postmaster.pid"
    assert note.exists()
    launcher.send_signal(signal.SIGTERM)
    assert launcher.wait(60) == 130
    assert not note.exists()
    (kept,) = (folder / "pg" / "artifacts").glob("study-*/*")
    assert kept.name == "trial-00000-running.safetensors"
    assert {path.name for path in (folder / "pg").iterdir()} == {"artifacts", "postgresql", "turn.lock", "users.lock"}
