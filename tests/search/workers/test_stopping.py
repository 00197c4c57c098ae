"""A worker exits when its launcher has died."""

import os
import sqlite3

import pytest
from sqlalchemy.exc import OperationalError

from nlb_search.search.worker_protocol import LAUNCHER_VARIABLE
from nlb_search.search.workers.shutdown import Stop
from nlb_search.storage.database.retrying import DatabaseRetry
from nlb_search.storage.errors import StorageError


def test_worker_without_launcher_does_not_wait_for_the_database(monkeypatch: pytest.MonkeyPatch) -> None:
    def ask() -> None:
        busy = sqlite3.OperationalError("database is locked")
        busy.sqlite_errorcode = sqlite3.SQLITE_BUSY
        raise OperationalError("SELECT 1", {}, busy)

    stop = Stop()
    monkeypatch.setenv(LAUNCHER_VARIABLE, str(os.getpid()))  # no process is its own parent
    with pytest.raises(StorageError, match="still unreachable"):
        DatabaseRetry(stop).call(ask)
    assert stop.is_set()
