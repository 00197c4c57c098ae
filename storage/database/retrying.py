"""Retrying while the database is unreachable: log it once, and continue when it is back."""

import logging
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from nlb_search.storage.database.failures import failure_of, is_transient, reason_of
from nlb_search.storage.errors import StorageError

if TYPE_CHECKING:
    from tenacity import RetryCallState

LONGEST_WAIT_SECONDS = 3600
"""Maximum time to wait for an unreachable database."""

FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.2, 10.0
"""Bounds of the exponential backoff between attempts."""

_log = logging.getLogger(__name__)
_Result = TypeVar("_Result")


class DatabaseRetry:
    """Retry database calls until the database answers. ``stop`` ends a wait early, for a worker that must exit."""

    def __init__(self, stop: threading.Event) -> None:
        self._stop = stop

    def call(self, action: Callable[[], _Result]) -> _Result:
        """Call ``action``, which must be safe to repeat, and return its result.

        Raises StorageError after an hour, if ``stop`` is set while the database is unreachable, or at once if the
        database fails for good, with its reason. Other errors (a bad value, a deleted study) are raised at once.
        """
        import tenacity  # imports asyncio and tornado: not for commands that only read

        waited = False

        def log_once(attempt: "RetryCallState") -> None:
            nonlocal waited
            if not waited:
                error = attempt.outcome.exception() if attempt.outcome else None
                _log.warning("the database is unreachable (%s): retrying", reason_of(error) if error else "no answer")
            waited = True

        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception(is_transient),
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
        except Exception as error:
            failure = failure_of(error)
            if failure is None:
                raise
            raise failure from error
        if waited:
            _log.warning("the database is reachable again")
        return result
