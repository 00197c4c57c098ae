"""One worker at a time, however many processes and machines: a lock that the storage itself provides."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy
from filelock import FileLock
from sqlalchemy.pool import NullPool

from nlb_search.storage.database.urls import StorageUrl

WAIT_SECONDS = 60
"""A holder that hangs, or whose machine lost its power, must not hang the others without a word."""

_CONNECTIONS: dict[str, dict[str, Any]] = {
    "postgresql": {
        "connect_timeout": 10,
        "options": f"-c lock_timeout={WAIT_SECONDS}s -c tcp_keepalives_idle=30 -c tcp_keepalives_interval=10",
    },
    "mysql": {"connect_timeout": 10},
}


@contextmanager
def exclusive(url: StorageUrl, name: str) -> Iterator[None]:
    """Hold the lock ``name`` of a storage; it is given back at the end, or when the process dies.

    A file beside a SQLite database (``FILE.db.lock``, one for all names: a single machine is quick), a lock of the
    server for PostgreSQL and MySQL. Raises sqlalchemy's OperationalError when the server is away, or when the lock was
    lost before the block ended; TimeoutError or OperationalError when another process keeps the lock for a minute;
    OSError when the folder of the file cannot be written.
    """
    file = url.sqlite_file
    if file is not None:
        lock = file.with_name(f"{file.name}.lock")
        lock.touch()  # a folder that takes no files fails here; FileLock would wait for it
        with FileLock(lock, timeout=WAIT_SECONDS):
            yield
        return
    # A connection of its own, closed at the end: the server drops the lock with it, whatever happened.
    engine = sqlalchemy.create_engine(url.sqlalchemy_url, poolclass=NullPool, connect_args=_CONNECTIONS[url.backend])
    with engine.connect() as connection:
        if url.backend == "mysql":
            _lock_mysql(connection, f"{url.sqlalchemy_url.database}:{name}")
        else:
            connection.execute(sqlalchemy.text("SELECT pg_advisory_lock(hashtextextended(:name, 0))"), {"name": name})
        yield
        # A connection that was cut, and the lock dropped with it, is found out here.
        connection.execute(sqlalchemy.text("SELECT 1"))


def _lock_mysql(connection: sqlalchemy.Connection, name: str) -> None:
    """Take a named lock. MySQL's are of the whole server, not of one database, and take at most 64 characters."""
    # The server ends a connection that says nothing for so long, and thus frees what a machine without power held.
    connection.execute(sqlalchemy.text("SET SESSION wait_timeout = 300"))
    key = hashlib.sha256(name.encode()).hexdigest()
    taken = sqlalchemy.text("SELECT GET_LOCK(:key, :seconds)")
    if connection.execute(taken, {"key": key, "seconds": WAIT_SECONDS}).scalar() != 1:
        raise TimeoutError(f"another process has held the lock '{name}' for {WAIT_SECONDS} s")
