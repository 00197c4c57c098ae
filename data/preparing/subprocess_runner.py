"""Preparing a recording in a subprocess, which may crash or hang without affecting this process.

A damaged file can make libhdf5 crash or loop forever. The subprocess (``subprocess_main``) gets its request on the
command line and sends log records and errors as lines of JSON. It exits when its standard input is closed, so it never
outlives this process.
"""

import json
import logging
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from nlb_search.data.errors import DataError
from nlb_search.data.nlb.source import BenchmarkRecording
from nlb_search.data.own.source import OwnRecording

STUCK_SECONDS = 300.0
"""CPU time that a single library call may use: enough to decompress tens of gigabytes."""

_PROGRAM = (
    "import sys; sys.path[:] = sys.argv[2:]; "
    "from nlb_search.data.preparing.subprocess_main import main; main(sys.argv[1])"
)
"""The subprocess has the same ``sys.path`` as this process, without its own working directory."""

_CRASHES = {signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGABRT}

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Request:
    """A request to make the entry of ``source`` in the folder ``cache``, if its files still have this content hash."""

    source: BenchmarkRecording | OwnRecording
    cache: Path
    content_hash: str
    stuck_s: float

    def as_json(self) -> str:
        """The request as JSON. Paths that are not valid UTF-8 survive the round trip."""
        return json.dumps(_REQUEST.dump_python(self, mode="json", warnings="error"))

    @classmethod
    def from_json(cls, text: str) -> "Request":
        return _REQUEST.validate_python(json.loads(text))


_REQUEST = TypeAdapter(Request)


def prepare_in_subprocess(request: Request) -> None:
    """Make the entry in a subprocess, and log what it logs. The subprocess never outlives this call.

    Raises the subprocess's DataError, or a DataError if the subprocess was killed or has crashed. Raises RuntimeError
    for any other error.
    """
    with subprocess.Popen(
        [sys.executable, "-P", "-c", _PROGRAM, request.as_json(), *map(str, sys.path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,  # Ctrl-C interrupts only this process, which then kills the subprocess
    ) as process:
        try:
            assert process.stdout is not None
            for line in process.stdout:
                _handle(json.loads(line))
            code = process.wait()
        finally:
            process.kill()
    if code:
        raise _exit_error(request.source.path, code)


def _handle(message: dict[str, Any]) -> None:
    """Handle a message of the subprocess: log its log record, or raise its error."""
    if "logger" in message:
        logging.getLogger(message["logger"]).log(message["level"], "%s", message["message"])
        return
    _log.debug("traceback of the subprocess:\n%s", message["traceback"])
    if message["expected"]:
        raise DataError(message["error"])
    raise RuntimeError(message["error"])


def _exit_error(path: Path, code: int) -> Exception:
    """The error for a subprocess that exited with a nonzero code without sending an error."""
    if code > 0:
        return RuntimeError(f"the process that prepares {path} ended with exit code {code}")
    number = signal.Signals(-code)
    if number == signal.SIGPROF or number in _CRASHES:
        failure = "hung" if number == signal.SIGPROF else f"crashed ({number.name})"
        return DataError(
            f"{path} is damaged: the HDF5 library {failure} while reading it\n"
            f"fetch the file again, or copy it again from the original"
        )
    cause = " (out of memory?)" if number == signal.SIGKILL else ""
    return DataError(
        f"the process that prepares {path} was killed by {number.name}{cause}: try again, or prepare the recording on "
        f"a machine with more memory and the same NLB_SEARCH_CACHE"
    )
