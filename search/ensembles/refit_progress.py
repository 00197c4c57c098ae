"""The progress of training networks again, as lines in the log."""

import logging
import time
from collections.abc import Callable

RefitProgress = Callable[[int, int], None]
"""Called with the number of networks that are done and of all, at the start and after each network."""

LINE_SECONDS = 5.0
"""Least time between two lines."""

_log = logging.getLogger(__name__)


class LoggedProgress:
    """Writes a line at the start, at the end, and between them at most one in ``LINE_SECONDS``."""

    def __init__(self) -> None:
        self._next = 0.0

    def __call__(self, done: int, total: int) -> None:
        if 0 < done < total and time.monotonic() < self._next:
            return
        self._next = time.monotonic() + LINE_SECONDS
        _log.info("training again on train + val: %d of %d networks done", done, total)
