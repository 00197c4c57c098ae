"""Preparing a recording in a separate process, which may crash or never end without harm to this one.

libhdf5 is written for whole files: bytes that a disk or a network lost can send it out of bounds, or round in a loop
that no exception leaves. The process (``subprocess_main``) is told what to prepare on its command line, says how it
goes in lines of JSON, and ends with us, for it listens for the end of its standard input.
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
"""So much of the processor's time one call of a library may take: enough to unpack tens of gigabytes."""

_PROGRAM = (
    "import sys; sys.path[:] = sys.argv[2:]; "
    "from nlb_search.data.preparing.subprocess_main import main; main(sys.argv[1])"
)
"""Modules are found where this process finds them: a script's own folder counts, the working directory does not."""

_CRASHES = {signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGABRT}

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Request:
    """What is to be prepared: the entry of ``source`` in ``cache``, if the files still have this content."""

    source: BenchmarkRecording | OwnRecording
    cache: Path
    content_hash: str
    stuck_s: float

    def as_json(self) -> str:
        """The request as text. A path that is not UTF-8 comes back as well."""
        return json.dumps(_REQUEST.dump_python(self, mode="json", warnings="error"))

    @classmethod
    def from_json(cls, text: str) -> "Request":
        return _REQUEST.validate_python(json.loads(text))


_REQUEST = TypeAdapter(Request)


def prepare_in_subprocess(request: Request) -> None:
    """Have the entry made; what the other process logs is logged here, and it never outlives this call.

    Raises the DataError that it met, or one that says how it was ended.
    """
    with subprocess.Popen(
        [sys.executable, "-P", "-c", _PROGRAM, request.as_json(), *map(str, sys.path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,  # Ctrl-C reaches us alone, and we end it
    ) as process:
        try:
            assert process.stdout is not None
            for line in process.stdout:
                _hear(json.loads(line))
            code = process.wait()
        finally:
            process.kill()
    if code:
        raise _ended(request.source.place, code)


def _hear(said: dict[str, Any]) -> None:
    """One line of the other process: what was logged, or what went wrong."""
    if "logger" in said:
        logging.getLogger(said["logger"]).log(said["level"], "%s", said["message"])
        return
    _log.debug("the error came from here:\n%s", said["traceback"])
    if said["expected"]:
        raise DataError(said["error"])
    raise RuntimeError(said["error"])


def _ended(place: Path, code: int) -> Exception:
    """How the process ended that said nothing of it."""
    if code > 0:
        return RuntimeError(f"the process that prepares {place} ended with exit code {code}")
    number = signal.Signals(-code)
    if number == signal.SIGPROF or number in _CRASHES:
        did = "came to no end" if number == signal.SIGPROF else f"crashed ({number.name})"
        return DataError(
            f"{place} is damaged: the HDF5 library {did} when it read it\n"
            f"fetch it again, or copy it again from where it was recorded"
        )
    cause = " (by the system, when memory ran out?)" if number == signal.SIGKILL else ""
    return DataError(
        f"the process that prepares {place} was ended by {number.name}{cause}: try again, or prepare it on a machine "
        f"with more memory and the same NLB_SEARCH_CACHE"
    )
