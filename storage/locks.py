"""One worker at a time, however many processes and machines: a lock that the storage itself provides."""

from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy
from filelock import FileLock
from sqlalchemy.pool import NullPool

from storage.urls import StorageUrl

_CONNECTION = {
    "connect_timeout": 10,
    # A holder that hangs, or whose machine lost its power, must not hang the others without a word.
    "options": "-c lock_timeout=60000 -c tcp_keepalives_idle=30 -c tcp_keepalives_interval=10",
}


@contextmanager
def exclusive(url: StorageUrl, name: str) -> Iterator[None]:
    """Hold the lock ``name`` of a storage; it is given back at the end, or when the process dies.

    A file beside a SQLite database (``FILE.db.lock``, one for all names: a single machine is quick), an advisory lock
    of the server for PostgreSQL. Raises sqlalchemy's OperationalError when the server is away, or when the block ends
    and the lock was lost before; OSError when the folder of the file cannot be written.
    """
    file = url.sqlite_file
    if file is not None:
        lock = file.with_name(f"{file.name}.lock")
        lock.touch()  # a folder that takes no files fails here; FileLock would wait for it for ever
        with FileLock(lock):
            yield
        return
    # A connection of its own, closed at the end: the server drops the lock with it, whatever happened.
    engine = sqlalchemy.create_engine(url.sqlalchemy_url, poolclass=NullPool, connect_args=_CONNECTION)
    with engine.connect() as connection:
        connection.execute(sqlalchemy.text("SELECT pg_advisory_lock(hashtextextended(:name, 0))"), {"name": name})
        yield
        # A connection that was cut, and the lock dropped with it, is found out here.
        connection.execute(sqlalchemy.text("SELECT pg_advisory_unlock(hashtextextended(:name, 0))"), {"name": name})
