"""Retrying while the database is unreachable: log it once, and continue when it is back."""

import logging
import os
import re
import sqlite3
import threading
from collections.abc import Callable
from typing import TypeVar

import tenacity
from optuna.exceptions import StorageInternalError
from sqlalchemy.exc import InterfaceError, OperationalError, PendingRollbackError

from nlb_search.storage.errors import StorageError

LONGEST_WAIT_SECONDS = 3600
"""Maximum time to wait for an unreachable database."""

FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.2, 10.0
"""Bounds of the exponential backoff between attempts."""

_FOR_GOOD = re.compile(r"FATAL:.*(authentication failed|does not exist|no pg_hba\.conf entry|permission denied)")
"""PostgreSQL's messages for permanent errors: a refused connection has no error code, so the text is matched."""

_SQLITE_AWAY = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL})
"""SQLite's codes for transient errors: another process is writing, or the disk is full until someone frees space."""

_MYSQL_AWAY = frozenset({1040, 1053, 1205, 1213, 1317, 1927, 1969, 2002, 2003, 2006, 2013, 2055, 3024, 4031})
"""MySQL's codes for transient errors: too many connections, a server that is stopping or unreachable, a lost
connection, a lock or statement timeout, a deadlock.
"""

_log = logging.getLogger(__name__)
_Result = TypeVar("_Result")


def is_away(error: BaseException) -> bool:
    """Whether ``error`` means that the database is unreachable now, so that retrying makes sense."""
    error = _cause(error)
    if isinstance(error, PendingRollbackError):
        return True  # Optuna mistakes the error of a lost connection for another one and continues
    if isinstance(error, TimeoutError):
        return True  # another process held a MySQL lock for too long
    if not isinstance(error, OperationalError | InterfaceError):
        return False
    if isinstance(error.orig, sqlite3.Error):
        return error.orig.sqlite_errorcode & 0xFF in _SQLITE_AWAY
    number = _mysql_number(error.orig)
    if number is not None:
        return number in _MYSQL_AWAY
    return not _FOR_GOOD.search(str(error.orig))


def reason_of(error: BaseException) -> str:
    """The first line of the driver's message, without hints and without the statement that SQLAlchemy adds."""
    error = _cause(error)
    if isinstance(error, OSError):
        return os.strerror(error.errno) if error.errno else str(error)
    said = getattr(error, "orig", None) or error
    words = said.args[-1] if _mysql_number(said) is not None else said
    return str(words).partition("\n")[0]


def _mysql_number(error: BaseException | None) -> int | None:
    """The error code in a MySQL driver's exception, or None for other databases."""
    return error.args[0] if error is not None and error.args and isinstance(error.args[0], int) else None


def _cause(error: BaseException) -> BaseException:
    """The original SQLAlchemy exception, if Optuna or nlb-search wrapped it."""
    if isinstance(error, StorageInternalError | StorageError) and error.__cause__ is not None:
        return error.__cause__
    return error


class DatabaseRetry:
    """Retry database calls until the database answers. ``stop`` ends a wait early, for a worker that must exit."""

    def __init__(self, stop: threading.Event) -> None:
        self._stop = stop

    def call(self, action: Callable[[], _Result]) -> _Result:
        """Call ``action``, which must be safe to repeat, and return its result.

        Raises StorageError after an hour, or if ``stop`` is set while the database is unreachable. Other errors (a bad
        value, a deleted study) are raised at once.
        """
        waited = False

        def log_once(attempt: tenacity.RetryCallState) -> None:
            nonlocal waited
            if not waited:
                error = attempt.outcome.exception() if attempt.outcome else None
                _log.warning("the database is unreachable (%s): retrying", reason_of(error) if error else "no answer")
            waited = True

        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception(is_away),
            wait=tenacity.wait_random_exponential(multiplier=FIRST_PAUSE_SECONDS, max=LONGEST_PAUSE_SECONDS),
            stop=tenacity.stop_any(
                tenacity.stop_after_delay(LONGEST_WAIT_SECONDS), tenacity.stop_when_event_set(self._stop)
            ),
            sleep=tenacity.sleep_using_event(self._stop),
            before_sleep=log_once,
        )
        try:
            result = retrying(action)
        except tenacity.RetryError as error:
            raise StorageError("the database is still unreachable: start it, then run `nlb-search resume`") from error
        if waited:
            _log.warning("the database is reachable again")
        return result
