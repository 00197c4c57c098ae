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
"""How long an absent database is waited for in all."""

FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.2, 10.0
"""It is asked again after about the first, and then ever more seldom, but at least as often as the second says."""

_FOR_GOOD = re.compile(r"FATAL:.*(authentication failed|does not exist|no pg_hba\.conf entry|permission denied)")
"""What PostgreSQL says when waiting does not mend it: a connection that is refused has no number for why."""

_SQLITE_AWAY = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL})
"""SQLite's numbers of errors that waiting mends: others that write, and a full disk, on which somebody makes room."""

_MYSQL_AWAY = frozenset({1040, 1053, 1205, 1213, 1317, 1927, 1969, 2002, 2003, 2006, 2013, 2055, 3024, 4031})
"""MySQL's numbers of errors that waiting mends: too many connections, a server that stops or cannot be reached, a lost
or closed connection, a lock or statement that took too long, a deadlock.
"""

_log = logging.getLogger(__name__)
_Result = TypeVar("_Result")


def is_away(error: BaseException) -> bool:
    """Whether ``error`` says that the database cannot be reached now: worth trying again, unlike bad data."""
    error = _cause(error)
    if isinstance(error, PendingRollbackError):
        return True  # Optuna catches the error of a cut connection where it expects another, and continues with it
    if isinstance(error, TimeoutError):
        return True  # a lock of MySQL that another process held for too long
    if not isinstance(error, OperationalError | InterfaceError):
        return False
    if isinstance(error.orig, sqlite3.Error):
        return error.orig.sqlite_errorcode & 0xFF in _SQLITE_AWAY
    number = _mysql_number(error.orig)
    if number is not None:
        return number in _MYSQL_AWAY
    return not _FOR_GOOD.search(str(error.orig))


def reason_of(error: BaseException) -> str:
    """What the driver said first: without its guesses, and the statement, values and link that SQLAlchemy adds."""
    error = _cause(error)
    if isinstance(error, OSError):
        return os.strerror(error.errno) if error.errno else str(error)
    said = getattr(error, "orig", None) or error
    words = said.args[-1] if _mysql_number(said) is not None else said
    return str(words).partition("\n")[0]


def _mysql_number(error: BaseException | None) -> int | None:
    """The number that a driver of MySQL puts before its words, and those of other databases do not."""
    return error.args[0] if error is not None and error.args and isinstance(error.args[0], int) else None


def _cause(error: BaseException) -> BaseException:
    """What SQLAlchemy raised, below what Optuna or we made of it."""
    if isinstance(error, StorageInternalError | StorageError) and error.__cause__ is not None:
        return error.__cause__
    return error


class DatabaseRetry:
    """Calls the database until it answers. ``stop`` ends a wait early: a worker asked to leave does not hang."""

    def __init__(self, stop: threading.Event) -> None:
        self._stop = stop

    def call(self, action: Callable[[], _Result]) -> _Result:
        """The result of ``action``, which must be safe to repeat.

        Raises StorageError after an hour, or when told to stop while the database is away; what is not an absent
        database (a bad value, a study that was deleted) is raised at once.
        """
        waited = False

        def say_once(attempt: tenacity.RetryCallState) -> None:
            nonlocal waited
            if not waited:
                error = attempt.outcome.exception() if attempt.outcome else None
                _log.warning("the database is away (%s): waiting for it", reason_of(error) if error else "no answer")
            waited = True

        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception(is_away),
            wait=tenacity.wait_random_exponential(multiplier=FIRST_PAUSE_SECONDS, max=LONGEST_PAUSE_SECONDS),
            stop=tenacity.stop_any(
                tenacity.stop_after_delay(LONGEST_WAIT_SECONDS), tenacity.stop_when_event_set(self._stop)
            ),
            sleep=tenacity.sleep_using_event(self._stop),
            before_sleep=say_once,
        )
        try:
            result = retrying(action)
        except tenacity.RetryError as error:
            raise StorageError("the database is still away: start it, then `nlb-search resume`") from error
        if waited:
            _log.warning("the database is back")
        return result
