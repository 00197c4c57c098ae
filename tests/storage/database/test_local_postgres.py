"""A private server runs as long as at least one process uses it, even if processes are killed."""

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from nlb_search.storage.checkpoints import default_artifacts
from nlb_search.storage.database.urls import parse_url

USER = (
    "import signal, sys; from pathlib import Path\n"
    "from nlb_search.storage.database.local_postgres import keep_running\n"
    "signal.signal(signal.SIGTERM, lambda *_: sys.exit())\n"
    "keep_running(Path(sys.argv[1])); print('ready', flush=True); sys.stdin.read()"
)


class Users:
    """Processes that use the private server of a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.processes: list[subprocess.Popen[str]] = []

    def begin(self) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", USER, str(self.folder)]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.processes.append(process)
        return process

    def ready(self) -> subprocess.Popen[str]:
        process = self.begin()
        _wait_until_ready(process)
        return process

    def server(self) -> int | None:
        """The process id of the server, or None if it does not run."""
        note = self.folder / "postgresql" / "postmaster.pid"
        return int(note.read_text().split()[0]) if note.exists() else None


def _wait_until_ready(process: subprocess.Popen[str]) -> None:
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"


def _end(process: subprocess.Popen[str], number: int) -> None:
    process.send_signal(number)
    process.wait(60)


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    # Not in pytest's temporary folder: its path is too long, and the server's user cannot access it if run as root.
    with tempfile.TemporaryDirectory(prefix="nlb-search-") as folder:
        yield Path(folder) / "studies"


@pytest.fixture
def users(folder: Path) -> Iterator[Users]:
    users = Users(folder)
    yield users
    for process in users.processes:
        process.kill()
        process.wait()
    if users.server() is not None:
        _end(users.ready(), signal.SIGTERM)


def test_concurrent_processes_share_one_server(users: Users) -> None:
    processes = [users.begin() for _ in range(3)]
    for process in processes:
        _wait_until_ready(process)
    server = users.server()
    assert server is not None
    _end(processes[0], signal.SIGTERM)
    _end(processes[1], signal.SIGKILL)
    assert users.server() == server
    data = users.folder / "postgresql"
    for path in (data, data / ".s.PGSQL.5432"):
        assert path.stat().st_mode & 0o077 == 0, "only its user may connect"
    with closing(psycopg.connect(host=str(data), user="postgres")) as connection:
        assert int(connection.execute("SHOW max_connections").fetchone()[0]) >= 2 * 64
        assert connection.execute("SHOW listen_addresses").fetchone() == ("",)
    _end(processes[2], signal.SIGINT)
    assert users.server() is None


def test_server_of_killed_users_is_reused_and_stopped(users: Users) -> None:
    processes = [users.ready(), users.ready()]
    for process in processes:
        _end(process, signal.SIGKILL)
    server = users.server()
    assert server is not None
    process = users.ready()
    assert users.server() == server
    _end(process, signal.SIGTERM)
    assert users.server() is None


def test_killed_server_is_restarted_despite_reused_pid(
    users: Users,
) -> None:
    first = users.ready()
    server = users.server()
    assert server is not None
    os.kill(server, signal.SIGKILL)
    note = users.folder / "postgresql" / "postmaster.pid"
    with subprocess.Popen(["sleep", "60"], user=note.stat().st_uid) as another:
        note.write_text(note.read_text().replace(str(server), str(another.pid), 1))
        second = users.ready()
        assert users.server() not in (None, server, another.pid)
        another.kill()
    _end(second, signal.SIGTERM)
    assert users.server() is not None, "the first process still uses it"
    _end(first, signal.SIGTERM)
    assert users.server() is None


def test_url_has_absolute_folder_and_starts_no_server(monkeypatch: pytest.MonkeyPatch) -> None:
    with tempfile.TemporaryDirectory(prefix="nlb-search-") as here:
        monkeypatch.chdir(here)
        url = parse_url("postgres-local:studies")
        assert str(url) == url.with_password == f"postgres-local:{here}/studies", "as a worker is given it"
        assert default_artifacts(url) == Path(here, "studies", "artifacts")
        assert list(Path(here).iterdir()) == []
        monkeypatch.undo()
