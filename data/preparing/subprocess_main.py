"""Main program of the subprocess that prepares a recording. ``subprocess_runner`` starts it and reads its output."""

import gc
import json
import logging
import os
import signal
import sys
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO

from nlb_search.data.errors import DataError
from nlb_search.data.preparing.cache import prepare
from nlb_search.data.preparing.subprocess_runner import Request

_POLL_SECONDS = 0.2


def main(text: str) -> None:
    """Prepare the requested recording. Exits with 0, or with 1 after sending a line with the error."""
    request = Request.from_json(text)
    parent = _redirect_stdout()
    _exit_with_parent()
    logging.getLogger("nlb_search").setLevel(logging.DEBUG)  # the parent process filters by level
    logging.getLogger().addHandler(_ParentHandler(parent))
    try:
        with _killed_if_stuck(request.stuck_s):
            prepare(request.source, request.cache, request.content_hash)
    except Exception as error:
        expected = isinstance(error, DataError)
        message = str(error) if expected else f"preparing {request.source.path} failed, {type(error).__name__}: {error}"
        _send(parent, {"error": message, "expected": expected, "traceback": traceback.format_exc()})
        sys.exit(1)
    finally:
        gc.freeze()  # exit without looking through all objects again, which takes 0.1 s


def _redirect_stdout() -> TextIO:
    """Redirect standard output, which libraries may print to, to standard error; return a stream to the original."""
    original = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    return original


def _exit_with_parent() -> None:
    """Exit at once when standard input is closed: then the parent process has ended, even if it was killed."""

    def wait() -> None:
        os.read(0, 1)
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


@contextmanager
def _killed_if_stuck(seconds: float) -> Iterator[None]:
    """Have SIGPROF kill this process once a single library call has used this many seconds of CPU time.

    A repeated SIGALRM restarts the timer. Python runs its handler only between bytecodes, so not during a library call
    that does not return. The timer counts CPU time only, not time spent waiting for a slow disk or another process.
    """

    def restart(*_: object) -> None:
        signal.setitimer(signal.ITIMER_PROF, seconds)

    restart()
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    signal.signal(signal.SIGALRM, restart)
    signal.siginterrupt(signal.SIGALRM, False)  # do not interrupt a library's system calls
    signal.setitimer(signal.ITIMER_REAL, _POLL_SECONDS, _POLL_SECONDS)
    try:
        yield
    finally:
        for timer in (signal.ITIMER_REAL, signal.ITIMER_PROF):
            signal.setitimer(timer, 0)


class _ParentHandler(logging.Handler):
    """Sends log records to the parent process."""

    def __init__(self, parent: TextIO) -> None:
        super().__init__()
        self._parent = parent

    def emit(self, record: logging.LogRecord) -> None:
        _send(self._parent, {"logger": record.name, "level": record.levelno, "message": record.getMessage()})


def _send(parent: TextIO, message: dict[str, Any]) -> None:
    print(json.dumps(message), file=parent, flush=True)
