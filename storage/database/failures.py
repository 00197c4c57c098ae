"""Interprets database errors: whether to retry, the reason, and what to do."""

import os
import re
import sqlite3

from optuna.exceptions import StorageInternalError
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, InterfaceError, OperationalError, PendingRollbackError

from nlb_search.storage.errors import StorageError

_POOLER = re.compile(r"unsupported startup parameter|prepared statement .* (does not exist|already exists)")
"""PostgreSQL's and PgBouncer's messages for connections that do not keep settings and prepared statements."""

_PERMANENT = re.compile(
    rf"FATAL:.*(authentication failed|does not exist|no pg_hba\.conf entry|permission denied)|{_POOLER.pattern}"
)
"""PostgreSQL's messages for permanent errors: a refused connection has no error code, so the text is matched."""

_SQLITE_TRANSIENT = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL})
"""SQLite's codes for transient errors: another process is writing, or the disk is full until someone frees space."""

_MYSQL_TRANSIENT = frozenset({1040, 1053, 1205, 1213, 1317, 1927, 1969, 2002, 2003, 2006, 2013, 2055, 3024, 4031})
"""MySQL's codes for transient errors: too many connections, a server that is stopping or unreachable, a lost
connection, a lock or statement timeout, a deadlock.
"""

_DAMAGED = "the file is damaged: restore a backup, or save what can be read with `sqlite3 FILE .recover`"
_LOCKED = "another program has locked the file: close that program, then run the command again"
_SQLITE_ADVICE = {
    sqlite3.SQLITE_BUSY: _LOCKED,
    sqlite3.SQLITE_LOCKED: _LOCKED,
    sqlite3.SQLITE_CORRUPT: _DAMAGED,
    sqlite3.SQLITE_NOTADB: "name a SQLite database with --storage, or restore a backup if it was one",
    sqlite3.SQLITE_FULL: "the disk is full: free some space",
    sqlite3.SQLITE_IOERR: "the disk failed: check it, and keep the file on a local disk",
    sqlite3.SQLITE_READONLY: "make the file and its folder writable",
    sqlite3.SQLITE_CANTOPEN: "check that the file and its folder exist and can be written to",
}
_POOLER_ADVICE = (
    "connect to the database itself, or to a pooler in session mode, not in transaction mode; PgBouncer also needs "
    "ignore_startup_parameters = options"
)


def is_transient(error: BaseException) -> bool:
    """Whether ``error`` means that the database is unreachable now, so that retrying makes sense."""
    error = _cause(error)
    if isinstance(error, PendingRollbackError):
        return True  # Optuna mistakes the error of a lost connection for another one and continues
    if isinstance(error, TimeoutError):
        return True  # another process held a MySQL lock for too long
    if not isinstance(error, OperationalError | InterfaceError):
        return False
    if isinstance(error.orig, sqlite3.Error):
        return _sqlite_code(error.orig) in _SQLITE_TRANSIENT
    number = _mysql_number(error.orig)
    if number is not None:
        return number in _MYSQL_TRANSIENT
    return not _PERMANENT.search(str(error.orig))


def reason_of(error: BaseException) -> str:
    """The first line of the driver's message, without hints and without the statement that SQLAlchemy adds."""
    error = _cause(error)
    if isinstance(error, OSError):
        return os.strerror(error.errno) if error.errno else str(error)
    said = getattr(error, "orig", None) or error
    words = said.args[-1] if _mysql_number(said) is not None else said
    return str(words).partition("\n")[0]


def reason_and_advice(error: BaseException) -> str:
    """The reason, and what to do if that is known."""
    advice = _advice_on(error)
    return f"{reason_of(error)}: {advice}" if advice else reason_of(error)


def failure_of(error: BaseException) -> StorageError | None:
    """The error for the user, if ``error`` is the database's fault; None for a rejected value or another exception.

    Also None for a StorageError, which already explains itself.
    """
    if isinstance(error, StorageError):
        return None
    cause = _cause(error)
    if not isinstance(cause, DBAPIError) or isinstance(cause, DataError | IntegrityError):
        return None
    storage = " ".join(getattr(cause, "__notes__", ["the database"]))
    return StorageError(f"{storage}: {reason_and_advice(error)}")


def _advice_on(error: BaseException) -> str | None:
    said = getattr(_cause(error), "orig", None)
    if isinstance(said, sqlite3.Error):
        return _SQLITE_ADVICE.get(_sqlite_code(said))
    return _POOLER_ADVICE if _POOLER.search(str(said)) else None


def _sqlite_code(error: sqlite3.Error) -> int:
    """The primary error code; that of an unspecified error if Python's driver raised it."""
    code: int = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
    return code & 0xFF


def _mysql_number(error: BaseException | None) -> int | None:
    """The error code in a MySQL driver's exception, or None for other databases."""
    return error.args[0] if error is not None and error.args and isinstance(error.args[0], int) else None


def _cause(error: BaseException) -> BaseException:
    """The original SQLAlchemy exception, if Optuna or nlb-search wrapped it."""
    if isinstance(error, StorageInternalError | StorageError) and error.__cause__ is not None:
        return error.__cause__
    return error
