"""Opening the database behind a storage URL: pools, timeouts and heartbeats are set here and nowhere else."""

import warnings
from typing import Any, cast

import optuna
import sqlalchemy
from optuna.exceptions import ExperimentalWarning
from optuna.storages import BaseStorage, RDBStorage, get_storage
from sqlalchemy.exc import SQLAlchemyError

from storage.errors import StorageError
from storage.locks import exclusive
from storage.patience import reason_of
from storage.urls import StorageUrl

HEARTBEAT_SECONDS = 20
"""How often a worker says that its trial is alive."""

GRACE_SECONDS = 180
"""How long a silent worker on another machine is waited for: far longer than a database takes to restart."""

SQLITE_WAIT_SECONDS = 60

_POSTGRESQL_ENGINE: dict[str, Any] = {
    "pool_pre_ping": True,
    "pool_recycle": 1800,
    "pool_size": 2,
    "connect_args": {
        "connect_timeout": 10,
        "keepalives": 1,
        "keepalives_idle": 30,
        "options": "-c statement_timeout=60000",
    },
}
_SQLITE_ENGINE: dict[str, Any] = {"connect_args": {"timeout": SQLITE_WAIT_SECONDS}}


def open_database(url: StorageUrl) -> BaseStorage:
    """The Optuna storage at ``url``, with its tables made if they are not there.

    Raises StorageError when the database cannot be reached or was written by another version of Optuna.
    """
    try:
        # Two processes that make the tables of an empty database at once fail each other, so one does it.
        with exclusive(url, "tables"):
            database = RDBStorage(
                url.for_optuna,
                engine_kwargs=_POSTGRESQL_ENGINE if url.sqlite_file is None else _SQLITE_ENGINE,
                heartbeat_interval=HEARTBEAT_SECONDS,
                grace_period=GRACE_SECONDS,
            )
            if url.sqlite_file is not None:
                _share_sqlite(database)
    except (SQLAlchemyError, OSError, RuntimeError) as error:
        raise StorageError(f"cannot open the storage {url}: {reason_of(error)}") from error
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


def engine_of(database: BaseStorage) -> sqlalchemy.Engine:
    """The engine under an opened storage, for what Optuna has no call for."""
    return cast(Any, database)._backend.engine  # type: ignore[no-any-return]


optuna.logging.set_verbosity(optuna.logging.WARNING)
# Metric names, heartbeats and patience are used knowingly, and workers beat by themselves: see heartbeat.py.
warnings.filterwarnings("ignore", category=ExperimentalWarning)
warnings.filterwarnings("ignore", message="Heartbeat of storage is supposed to be used with Study.optimize")
