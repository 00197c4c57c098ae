"""Opening the database behind a storage URL: pools, timeouts and heartbeats are set here and nowhere else."""

import os
import sqlite3
import warnings
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

from nlb_search.storage.database.locks import exclusive
from nlb_search.storage.database.retrying import reason_of
from nlb_search.storage.database.trial_cache import TrialCacheStorage
from nlb_search.storage.database.urls import StorageUrl
from nlb_search.storage.errors import StorageError

HEARTBEAT_SECONDS = 20
"""How often a worker says that its trial is alive."""

GRACE_SECONDS = 180
"""How long a silent worker on another machine is waited for: far longer than a database takes to restart."""

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
"""What a server is told as a reader connects, by the kind of database: it then refuses every change."""


def open_database(url: StorageUrl) -> BaseStorage:
    """The Optuna storage at ``url``, with its tables made if they are not there.

    A private server is started if it does not run, and kept for as long as this process lives. Raises StorageError
    when the database cannot be reached or was written by another version of Optuna.
    """
    _start_private_server(url)
    # Two processes that make the tables of an empty database at once fail each other, so one does it.
    with _said_in_a_line(url), exclusive(url, "tables"):
        database = RDBStorage(
            url.for_optuna,
            engine_kwargs=_ENGINES[url.backend],
            heartbeat_interval=HEARTBEAT_SECONDS,
            grace_period=GRACE_SECONDS,
        )
        if url.sqlite_file is not None:
            _share_sqlite(database)
    return TrialCacheStorage(database)


def open_for_reading(url: StorageUrl) -> RDBStorage:
    """The database at ``url`` to be looked at: the database itself refuses every change, whoever asks for it.

    Raises StorageError when it cannot be reached or has no tables yet: a reader makes none.
    """
    _start_private_server(url)
    with _said_in_a_line(url):
        engine = sqlalchemy.create_engine(url.sqlalchemy_url, **_reading_engine(url))
        has_tables = sqlalchemy.inspect(engine).has_table("version_info")
        engine.dispose()
        if not has_tables:
            raise StorageError(
                f"the storage {url} has no tables yet: `nlb-search studies`, as a user who may make tables, makes them"
            )
        return RDBStorage(url.for_optuna, engine_kwargs=_reading_engine(url), skip_table_creation=True)


def open_for_editing(url: StorageUrl) -> RDBStorage:
    """The database at ``url`` for a person who edits now and then: not for workers, who would take the same trials.

    Its reads do not take the write lock of a SQLite file, as the workers' do. Raises StorageError as ``open_database``.
    """
    open_database(url)
    with _said_in_a_line(url):
        return RDBStorage(url.for_optuna, engine_kwargs=_ENGINES[url.backend])


def _start_private_server(url: StorageUrl) -> None:
    if url.private_server is not None:
        from nlb_search.storage.database.local_postgres import (
            keep_running,  # it needs a package that is an extra, and Unix
        )

        with _said_in_a_line(url):
            keep_running(url.private_server)


def _reading_engine(url: StorageUrl) -> dict[str, Any]:
    file = url.sqlite_file
    if file is not None:
        return {"creator": partial(_connect_to_read, file), "poolclass": NullPool}
    engine = _ENGINES[url.backend]
    return engine | {"connect_args": engine["connect_args"] | _READ_ONLY[url.backend]}


def _connect_to_read(file: Path) -> sqlite3.Connection:
    """A connection that cannot change the file, also where the user may write neither it nor its folder.

    Reading beside a writer needs the files -wal and -shm. Where there are none and none can be made, nobody writes at
    the moment, and SQLite must be told so; each read asks again, for a writer may come.
    """
    log = file.with_name(f"{file.name}-wal")
    unwritten = "" if log.exists() or os.access(file.parent, os.W_OK) else "&immutable=1"
    return sqlite3.connect(
        f"{file.as_uri()}?mode=ro{unwritten}", uri=True, timeout=SQLITE_WAIT_SECONDS, check_same_thread=False
    )


def _share_sqlite(database: RDBStorage) -> None:
    """Let many processes write: a write-ahead log, and transactions that take the lock as they begin.

    SQLite has no SELECT FOR UPDATE, so with its usual deferred transactions two workers can take the same trial.
    """

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
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    database.engine.dispose()  # connections from before the listeners


def engine_of(database: BaseStorage) -> sqlalchemy.Engine:
    """The engine under an opened storage, for what Optuna has no call for."""
    return cast(Any, database)._backend.engine  # type: ignore[no-any-return]


@contextmanager
def _said_in_a_line(url: StorageUrl) -> Iterator[None]:
    """Turns what goes wrong as a database is opened into a StorageError."""
    try:
        yield
    except (SQLAlchemyError, OSError, RuntimeError) as error:
        raise StorageError(f"cannot open the storage {url}: {reason_of(error)}") from error


optuna.logging.set_verbosity(optuna.logging.WARNING)
# Metric names, heartbeats and patience are used knowingly, and workers beat by themselves: see heartbeat.py.
warnings.filterwarnings("ignore", category=ExperimentalWarning)
warnings.filterwarnings("ignore", message="Heartbeat of storage is supposed to be used with Study.optimize")
