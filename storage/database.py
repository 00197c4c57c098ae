"""Opening the database behind a storage URL: pools, timeouts and heartbeats are set here and nowhere else."""

import os
import warnings
from typing import Any

import optuna
import sqlalchemy
from optuna.exceptions import ExperimentalWarning
from optuna.storages import BaseStorage, RDBStorage, get_storage
from sqlalchemy.exc import SQLAlchemyError

from storage.errors import StorageError
from storage.locks import exclusive
from storage.urls import StorageUrl

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


def open_database(url: StorageUrl) -> BaseStorage:
    """The Optuna storage at ``url``, with its tables made if they are not there.

    A private server is started if it does not run, and kept for as long as this process lives. Raises StorageError
    when the database cannot be reached or was written by another version of Optuna.
    """
    try:
        if url.private_server is not None:
            from storage.local_postgres import keep_running  # it needs a package that is an extra, and Unix

            keep_running(url.private_server)
        # Two processes that make the tables of an empty database at once fail each other, so one does it.
        with exclusive(url, "tables"):
            database = RDBStorage(
                url.for_optuna,
                engine_kwargs=_ENGINES[url.backend],
                heartbeat_interval=HEARTBEAT_SECONDS,
                grace_period=GRACE_SECONDS,
            )
            if url.sqlite_file is not None:
                _share_sqlite(database)
    except (SQLAlchemyError, OSError, RuntimeError) as error:
        raise StorageError(f"cannot open the storage {url}: {_reason(error)}") from error
    return get_storage(database)


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


def _reason(error: BaseException) -> str:
    """What the driver said, in one line: without the statement and the link that SQLAlchemy adds."""
    cause = getattr(error, "orig", None) or error
    if isinstance(error, OSError):
        return os.strerror(error.errno) if error.errno else str(error)
    return " ".join(str(cause).split())


optuna.logging.set_verbosity(optuna.logging.WARNING)
# Metric names, heartbeats and patience are used knowingly, and workers beat by themselves: see heartbeat.py.
warnings.filterwarnings("ignore", category=ExperimentalWarning)
warnings.filterwarnings("ignore", message="Heartbeat of storage is supposed to be used with Study.optimize")
