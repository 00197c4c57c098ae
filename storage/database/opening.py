"""Open the database of a storage URL. All pools, timeouts and heartbeat intervals are set here."""

import os
import sqlite3
import warnings
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, cast

import optuna
import sqlalchemy
from optuna.exceptions import ExperimentalWarning
from optuna.storages import BaseStorage, RDBStorage
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from nlb_search.storage.database.failures import reason_and_advice
from nlb_search.storage.database.known_tables import KnownTablesStorage
from nlb_search.storage.database.locks import exclusive
from nlb_search.storage.database.poolers import reject_transaction_mode
from nlb_search.storage.database.trial_cache import TrialCacheStorage
from nlb_search.storage.database.urls import StorageUrl
from nlb_search.storage.errors import StorageError

HEARTBEAT_SECONDS = 20
"""Interval between two heartbeats of a trial."""

GRACE_SECONDS = 180
"""A worker on another machine counts as dead after this time without a heartbeat.

It is much longer than a restart of the database.
"""

SQLITE_WAIT_SECONDS = 60

_SERVER_POOL = {"pool_pre_ping": True, "pool_recycle": 1800, "pool_size": 2}
_ENGINES: dict[str, dict[str, Any]] = {
    "sqlite": {"connect_args": {"timeout": SQLITE_WAIT_SECONDS}},
    "postgresql": _SERVER_POOL
    | {
        "connect_args": {
            "connect_timeout": 10,
            "keepalives": 1,
            "keepalives_idle": 30,
            "options": "-c statement_timeout=60000",
        },
    },
    "mysql": _SERVER_POOL | {"connect_args": {"connect_timeout": 10, "read_timeout": 60, "write_timeout": 60}},
}

_READ_ONLY: dict[str, dict[str, str]] = {
    "postgresql": {"options": "-c statement_timeout=60000 -c default_transaction_read_only=on"},
    "mysql": {"init_command": "SET SESSION TRANSACTION READ ONLY"},
}
"""Connection options, by database, that make the server refuse all writes."""


def open_database(url: StorageUrl) -> BaseStorage:
    """Open the Optuna storage at ``url`` and create its tables if they do not exist.

    A private server is started if it is not running; it runs at least until this process ends. Raises StorageError
    if the database is unreachable, was created by an incompatible version of Optuna, or is behind a pooler in
    transaction mode.
    """
    _start_private_server(url)
    # If two processes created the tables of an empty database at the same time, both would fail.
    with _as_storage_error(url), exclusive(url, "tables"):
        database = _connected(url)
        _name_in_errors(database.engine, url)
        reject_transaction_mode(url, database.engine)
        if url.sqlite_file is not None:
            _share_sqlite(database, url.sqlite_file)
    return TrialCacheStorage(_closed_at_exit(database))


def _connected(url: StorageUrl) -> RDBStorage:
    """Connect to the database, and create its tables or compare their version where that is needed."""
    known = KnownTablesStorage(url.for_optuna, _ENGINES[url.backend], HEARTBEAT_SECONDS, GRACE_SECONDS)
    if known.has_known_tables:
        return known
    known.engine.dispose()
    return RDBStorage(
        url.for_optuna,
        engine_kwargs=_ENGINES[url.backend],
        heartbeat_interval=HEARTBEAT_SECONDS,
        grace_period=GRACE_SECONDS,
    )


def open_for_reading(url: StorageUrl, storage: type[RDBStorage] = RDBStorage) -> RDBStorage:
    """Open the database at ``url`` read-only, as a ``storage``: the database itself refuses all writes.

    Raises StorageError if it is unreachable or has no tables: a reader does not create them.
    """
    _start_private_server(url)
    with _as_storage_error(url):
        engine = sqlalchemy.create_engine(url.sqlalchemy_url, **_reading_engine(url))
        has_tables = sqlalchemy.inspect(engine).has_table("version_info")
        engine.dispose()
        if not has_tables:
            raise StorageError(
                f"the storage {url} has no tables yet: create them with `nlb-search studies`, as a user with write "
                "access"
            )
        return _closed_at_exit(storage(url.for_optuna, engine_kwargs=_reading_engine(url), skip_table_creation=True))


def open_for_editing(url: StorageUrl, storage: type[RDBStorage] = RDBStorage) -> RDBStorage:
    """Open the database at ``url``, as a ``storage``, for interactive edits.

    Not for workers: two could claim the same trial. Unlike in ``open_database``, reads do not take the write lock of a
    SQLite file. Raises StorageError as it does.
    """
    open_database(url)
    with _as_storage_error(url):
        return _closed_at_exit(storage(url.for_optuna, engine_kwargs=_ENGINES[url.backend]))


def _closed_at_exit(database: RDBStorage) -> RDBStorage:
    """Close the connections when the process exits: the last one writes SQLite's log to the file, and removes it.

    The garbage collector may not do it, because a process exits without a last collection.
    """
    weakref.finalize(database, database.engine.dispose)
    return database


def _start_private_server(url: StorageUrl) -> None:
    if url.private_server is not None:
        from nlb_search.storage.database.local_postgres import (
            keep_running,  # requires Unix and an optional package
        )

        with _as_storage_error(url):
            keep_running(url.private_server)


def _reading_engine(url: StorageUrl) -> dict[str, Any]:
    file = url.sqlite_file
    if file is not None:
        return {"creator": partial(_connect_to_read, file), "poolclass": NullPool}
    engine = _ENGINES[url.backend]
    return engine | {"connect_args": engine["connect_args"] | _READ_ONLY[url.backend]}


def _connect_to_read(file: Path) -> sqlite3.Connection:
    """A read-only connection, which also works if the user has no write access to the file or its folder.

    Reading while another process writes requires the files -wal and -shm. If they do not exist and cannot be created,
    no process is writing, and SQLite needs ``immutable`` to open the file. Every read checks this again.
    """
    log = file.with_name(f"{file.name}-wal")
    unwritten = "" if log.exists() or os.access(file.parent, os.W_OK) else "&immutable=1"
    return sqlite3.connect(
        f"{file.as_uri()}?mode=ro{unwritten}", uri=True, timeout=SQLITE_WAIT_SECONDS, check_same_thread=False
    )


def _name_in_errors(engine: sqlalchemy.Engine, url: StorageUrl) -> None:
    """Add the storage to the notes of every error: the drivers of SQLite and PostgreSQL do not say which one failed."""

    @sqlalchemy.event.listens_for(engine, "handle_error")
    def add_note(context: sqlalchemy.ExceptionContext) -> None:
        if context.sqlalchemy_exception is not None:
            context.sqlalchemy_exception.add_note(f"the storage {url}")


def _share_sqlite(database: RDBStorage, file: Path) -> None:
    """Let several processes write: use a write-ahead log, and transactions that take the write lock at their start.

    SQLite has no SELECT FOR UPDATE, so with its default deferred transactions two workers can claim the same trial.
    Every transaction raises StorageError if the file was removed or replaced: SQLite would keep using the old file,
    which has no name and disappears with the last process.
    """
    opened = _identity_of(file)

    @sqlalchemy.event.listens_for(database.engine, "connect")
    def prepare(connection: Any, _record: Any) -> None:
        connection.isolation_level = None
        for pragma in (
            "journal_mode=WAL",
            "synchronous=NORMAL",
            f"busy_timeout={SQLITE_WAIT_SECONDS * 1000}",
        ):
            connection.execute(f"PRAGMA {pragma}")

    @sqlalchemy.event.listens_for(database.engine, "begin")
    def begin(connection: sqlalchemy.Connection) -> None:
        if _identity_of(file) != opened:
            raise StorageError(
                f"the database {file} was removed or replaced while it was in use: move it back, or restore a backup, "
                "then run `nlb-search resume`; checkpoints are kept"
            )
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    database.engine.dispose()  # close connections that were opened before the listeners were added


def _identity_of(file: Path) -> tuple[int, int] | None:
    """Device and inode of a file, None if it does not exist."""
    try:
        found = file.stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


def engine_of(database: BaseStorage) -> sqlalchemy.Engine:
    """The SQLAlchemy engine of an opened storage, for queries that Optuna has no function for."""
    return cast(Any, database)._backend.engine  # type: ignore[no-any-return]


@contextmanager
def _as_storage_error(url: StorageUrl) -> Iterator[None]:
    """Turn errors raised while a database is opened into a StorageError."""
    try:
        yield
    except (SQLAlchemyError, OSError, RuntimeError) as error:
        raise StorageError(f"cannot open the storage {url}: {reason_and_advice(error)}") from error


optuna.logging.set_verbosity(optuna.logging.WARNING)
# Experimental features (metric names, heartbeats, patience) are used on purpose, and workers send their own
# heartbeats: see heartbeat.py.
warnings.filterwarnings("ignore", category=ExperimentalWarning)
warnings.filterwarnings("ignore", message="Heartbeat of storage is supposed to be used with Study.optimize")
