"""Waiting for what other processes or threads do."""

import time
from collections.abc import Callable


def wait_until(happened: Callable[[], object], seconds: float = 120) -> None:
    """Return as soon as ``happened`` returns something true; fails after so many seconds."""
    until = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < until, "it did not happen in time"
        time.sleep(0.1)
