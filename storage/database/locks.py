"""Locks between processes and machines, provided by the storage itself."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy
from filelock import FileLock
from sqlalchemy.pool import NullPool

from nlb_search.storage.database.urls import StorageUrl

WAIT_SECONDS = 60
"""Lock timeout: a process that hangs, or whose machine lost power, must not block the others forever."""

_CONNECTIONS: dict[str, dict[str, Any]] = {
    "postgresql": {
        "connect_timeout": 10,
        "options": f"-c lock_timeout={WAIT_SECONDS}s -c tcp_keepalives_idle=30 -c tcp_keepalives_interval=10",
    },
    "mysql": {"connect_timeout": 10},
}


@contextmanager
def exclusive(url: StorageUrl, name: str) -> Iterator[None]:
    """Hold the lock ``name`` of a storage. It is released at the end of the block, or when the process dies.

    SQLite uses a lock file next to the database (``FILE.db.lock``, one for all names); PostgreSQL and MySQL use a
    named lock of the server. Raises sqlalchemy's OperationalError if the server is unreachable or the lock was lost
    before the block ended; TimeoutError or OperationalError if another process holds the lock for a minute; OSError if
    the lock file cannot be written.
    """
    file = url.sqlite_file
    if file is not None:
        lock = file.with_name(f"{file.name}.lock")
        lock.touch()  # fails if the folder is not writable, where FileLock would wait
        with FileLock(lock, timeout=WAIT_SECONDS):
            yield
        return
    # A separate connection: when it closes, the server releases the lock in any case.
    engine = sqlalchemy.create_engine(url.sqlalchemy_url, poolclass=NullPool, connect_args=_CONNECTIONS[url.backend])
    with engine.connect() as connection:
        if url.backend == "mysql":
            _lock_mysql(connection, f"{url.sqlalchemy_url.database}:{name}")
        else:
            # A lock of the transaction: a pooler such as PgBouncer keeps the session open, and with it its locks.
            taken = sqlalchemy.text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))")
            connection.execute(taken, {"name": name})
        yield
        # Fails if the connection, and with it the lock, was lost during the block.
        connection.execute(sqlalchemy.text("SELECT 1"))


def _lock_mysql(connection: sqlalchemy.Connection, name: str) -> None:
    """Take a named lock. In MySQL, names apply to the whole server and have at most 64 characters, so it is hashed."""
    # The server closes an idle connection after this time, which releases the lock of a machine that lost power.
    connection.execute(sqlalchemy.text("SET SESSION wait_timeout = 300"))
    key = hashlib.sha256(name.encode()).hexdigest()
    taken = sqlalchemy.text("SELECT GET_LOCK(:key, :seconds)")
    if connection.execute(taken, {"key": key, "seconds": WAIT_SECONDS}).scalar() != 1:
        raise TimeoutError(f"another process has held the lock '{name}' for {WAIT_SECONDS} s")
