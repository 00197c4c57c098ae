"""Errors of the database reach the user with the database's own reason, and what to do."""

import os
import sqlite3
import threading
from pathlib import Path

import psycopg
import pytest
from sqlalchemy.exc import OperationalError, ProgrammingError

from nlb_search.storage.database.failures import failure_of, is_transient
from nlb_search.storage.database.opening import open_database
from nlb_search.storage.database.retrying import DatabaseRetry
from nlb_search.storage.database.urls import parse_url
from nlb_search.storage.errors import StorageError
from nlb_search.storage.studies import make_study, open_study
from tests.helpers.processes.command import call

PAGE_BYTES = 4096


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A SQLite file with a study."""
    file = tmp_path / "nlb-search.db"
    url = parse_url(f"sqlite:///{file}")
    make_study(url, open_database(url), "study", {}, starts=[{"x": 1.0}])
    return file


def _damage(file: Path) -> None:
    """Overwrite every page except the first two, as a failing disk does."""
    with sqlite3.connect(file) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    with file.open("r+b") as pages:
        pages.seek(2 * PAGE_BYTES)
        pages.write(os.urandom(file.stat().st_size - 2 * PAGE_BYTES))


def test_locked_file_is_named_with_the_remedy(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nlb_search.storage.database.opening.SQLITE_WAIT_SECONDS", 1)
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    outcome = call("status", "study", cwd=file.parent)
    other.close()
    assert outcome.code == 1
    assert outcome.err == (
        f"nlb-search: the storage sqlite:///{file}: database is locked: "
        "another program has locked the file: close that program, then run the command again\n"
    )


def test_damaged_file_is_named_with_the_remedy(file: Path) -> None:
    _damage(file)
    outcome = call("status", "study", cwd=file.parent)
    assert outcome.code == 1
    assert f"sqlite:///{file}: database disk image is malformed: the file is damaged: restore a backup" in outcome.err
    assert "exceeding max length" not in outcome.err


def test_worker_of_a_damaged_file_ends_with_the_reason(file: Path) -> None:
    study = open_study(open_database(parse_url(f"sqlite:///{file}")), "study").study
    _damage(file)
    with pytest.raises(StorageError, match="database disk image is malformed: the file is damaged"):
        DatabaseRetry(threading.Event()).call(lambda: study.user_attrs)


@pytest.mark.parametrize(
    "error",
    [
        OperationalError(
            None, None, psycopg.OperationalError("FATAL:  unsupported startup parameter in options: statement_timeout")
        ),
        OperationalError(
            "SELECT 1", None, psycopg.errors.InvalidSqlStatementName('prepared statement "_pg3_0" does not exist')
        ),
        ProgrammingError(
            "SELECT 1", None, psycopg.errors.DuplicatePreparedStatement('prepared statement "_pg3_0" already exists')
        ),
    ],
)
def test_pooler_in_transaction_mode_is_explained(error: OperationalError | ProgrammingError) -> None:
    assert not is_transient(error), "waiting does not help"
    failure = failure_of(error)
    assert failure is not None
    assert "pooler in session mode, not in transaction mode" in str(failure)
    assert str(error.orig).partition("\n")[0] in str(failure)
