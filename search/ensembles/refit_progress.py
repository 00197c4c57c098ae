"""The progress of retraining networks, as lines in the log."""

import logging
import time
from collections.abc import Callable

RefitProgress = Callable[[int, int], None]
"""Called at the start and after each network, with the number of networks that are done and the total number."""

LINE_SECONDS = 5.0
"""Minimum time between two lines."""

_log = logging.getLogger(__name__)


class LoggedProgress:
    """Writes a line at the start, at the end, and between them at most one in ``LINE_SECONDS``."""

    def __init__(self) -> None:
        self._next = 0.0

    def __call__(self, done: int, total: int) -> None:
        if 0 < done < total and time.monotonic() < self._next:
            return
        self._next = time.monotonic() + LINE_SECONDS
        _log.info("retraining on train + val: %d of %d networks done", done, total)
