"""The process that prepares one recording: its whole program. ``subprocess_runner`` starts it and listens to it."""

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
    """Prepare what is asked for, and leave with 0 if it is there, or with 1 after a line that says why not."""
    request = Request.from_json(text)
    listener = _own_stdout()
    _end_with_the_asker()
    logging.getLogger("nlb_search").setLevel(logging.DEBUG)  # the asker drops what nobody wants to see
    logging.getLogger().addHandler(_Teller(listener))
    try:
        with _ended_when_stuck(request.stuck_s):
            prepare(request.source, request.cache, request.content_hash)
    except Exception as error:
        expected = isinstance(error, DataError)
        words = str(error) if expected else f"preparing {request.source.place} failed, {type(error).__name__}: {error}"
        _tell(listener, {"error": words, "expected": expected, "traceback": traceback.format_exc()})
        sys.exit(1)


def _own_stdout() -> TextIO:
    """Standard output for us alone: what a library prints goes to standard error."""
    ours = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    return ours


def _end_with_the_asker() -> None:
    """Leave at once when standard input ends: then the process that asked is gone, however it was ended."""

    def listen() -> None:
        os.read(0, 1)
        os._exit(1)

    threading.Thread(target=listen, daemon=True).start()


@contextmanager
def _ended_when_stuck(seconds: float) -> Iterator[None]:
    """Within it, the system ends us by SIGPROF once a single call of a library takes so much of the processor's time.

    Python hears a signal between two steps of its main thread, and then puts the end off; within a call that does not
    come back it hears none. Time in which we only wait, for a slow disk or another process, does not count.
    """

    def put_off(*_: object) -> None:
        signal.setitimer(signal.ITIMER_PROF, seconds)

    put_off()
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    signal.signal(signal.SIGALRM, put_off)
    signal.siginterrupt(signal.SIGALRM, False)  # a library's reading of a file continues
    signal.setitimer(signal.ITIMER_REAL, _POLL_SECONDS, _POLL_SECONDS)
    try:
        yield
    finally:
        for timer in (signal.ITIMER_REAL, signal.ITIMER_PROF):
            signal.setitimer(timer, 0)


class _Teller(logging.Handler):
    """Sends what is logged to the asker."""

    def __init__(self, listener: TextIO) -> None:
        super().__init__()
        self._listener = listener

    def emit(self, record: logging.LogRecord) -> None:
        _tell(self._listener, {"logger": record.name, "level": record.levelno, "message": record.getMessage()})


def _tell(listener: TextIO, said: dict[str, Any]) -> None:
    print(json.dumps(said), file=listener, flush=True)
