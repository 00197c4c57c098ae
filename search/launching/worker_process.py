"""One worker process in its slot, started again when it dies."""

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from typing import IO

from nlb_search.search.launching.slots import Slot
from nlb_search.search.study.opening import Locations
from nlb_search.search.worker_protocol import ERROR, LAUNCHER_VARIABLE

MODULE = ("-P", "-m", "nlb_search")
"""How Python runs nlb-search. With -P it imports nothing from the working directory, as the installed command does."""

SHUTDOWN_SECONDS = 30.0
"""How long a worker may take to release its trial before it is killed, as Slurm and Kubernetes wait."""

FIRST_DELAY_SECONDS, LONGEST_DELAY_SECONDS = 1.0, 60.0
SHORT_RUN_SECONDS = 20.0
MAX_SHORT_RUNS = 5

_log = logging.getLogger(__name__)


class WorkerProcess:
    """Keeps a worker running in one slot.

    A worker that was killed is started again, after a delay that doubles while it keeps dying young; one that says
    itself that it cannot continue (exit codes 1 and 2), or that dies young five times in a row, is given up.
    """

    def __init__(self, slot: Slot, study: str, locations: Locations) -> None:
        self.slot, self.study, self.locations = slot, study, locations
        self.name = f"worker {slot.number + 1}"
        self.failure: str | None = None
        self._last_line = ""
        self._process: subprocess.Popen[str] | None = None
        self._started = 0.0
        self._short_runs = 0
        self._start_again_at = 0.0

    @property
    def is_over(self) -> bool:
        """Whether nothing more comes of this slot: its process ended well, or was given up."""
        return self.failure is not None or (self._process is not None and self._process.poll() == 0)

    @property
    def is_running(self) -> bool:
        """Whether the slot has a process that runs, and does not wait to be started again."""
        return self._process is not None and self._process.poll() is None

    def update(self) -> None:
        """Start the process if that is due, and decide what becomes of it if it ended."""
        if self._process is None:
            if self.failure is None and time.monotonic() >= self._start_again_at:
                self._start()
            return
        code = self._process.poll()
        if code:
            self._process = None
            self._ended(code)

    def terminate(self) -> None:
        """Ask the process to release its trial and end."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()

    def wait_or_kill(self, kill_at: float) -> None:
        """Wait until the process has left; kill it at ``kill_at`` on the monotonic clock."""
        if self._process is None:
            return
        try:
            self._process.wait(max(0.0, kill_at - time.monotonic()))
        except subprocess.TimeoutExpired:
            _log.warning("%s did not leave in %.0f s: killing it", self.name, SHUTDOWN_SECONDS)
            self._process.kill()
            self._process.wait()

    def _start(self) -> None:
        environment = os.environ | self.locations.environment | {LAUNCHER_VARIABLE: str(os.getpid())}
        self._process = subprocess.Popen(
            [sys.executable, *MODULE, "worker", *self.slot.options, self.study],
            env=environment | self.slot.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,  # Ctrl-C reaches the launcher alone, which asks the workers to leave
        )
        self._started, self._last_line = time.monotonic(), ""
        self._listener = threading.Thread(target=self._listen, args=(self._process.stdout,), daemon=True)
        self._listener.start()

    def _listen(self, output: IO[str]) -> None:
        for line in output:
            # An error may have a second line: the first says what is wrong.
            if not self._last_line.startswith(ERROR):
                self._last_line = line.strip() or self._last_line
            _log.info("%s: %s", self.name, line.rstrip())

    def _ended(self, code: int) -> None:
        if code in (1, 2):
            self._listener.join(1.0)  # what it said last may still be on its way
            self.failure = f"{self.name}: {self._last_line}"
            return
        cause = _describe_exit(code)
        was_short = time.monotonic() - self._started < SHORT_RUN_SECONDS
        self._short_runs = self._short_runs + 1 if was_short else 0
        if self._short_runs == MAX_SHORT_RUNS:
            self.failure = f"{self.name} was ended {cause} soon after its start, {MAX_SHORT_RUNS} times in a row"
            _log.warning("%s: giving it up", self.failure)
            return
        delay = min(FIRST_DELAY_SECONDS * 2**self._short_runs, LONGEST_DELAY_SECONDS)
        self._start_again_at = time.monotonic() + delay
        _log.warning("%s was ended %s: starting it again in %.0f s", self.name, cause, delay)


def _describe_exit(code: int) -> str:
    """How a process was ended, from its exit code: negative where a signal did it."""
    if code == -signal.SIGKILL:
        return "by SIGKILL (by the system, when memory ran out?)"
    return f"by {signal.Signals(-code).name}" if code < 0 else f"with exit code {code}"
