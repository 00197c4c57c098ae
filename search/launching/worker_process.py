"""A worker process in a slot, which is restarted when it dies."""

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from typing import IO

from nlb_search.search.launching.slots import Slot
from nlb_search.search.study.open_study import Locations
from nlb_search.search.worker_protocol import ERROR, LAUNCHER_VARIABLE

MODULE = ("-P", "-m", "nlb_search")
"""Arguments of Python to run nlb-search. -P prevents imports from the working directory, like the installed command."""

SHUTDOWN_SECONDS = 30.0
"""Time in which a worker must release its trial before it is killed, the same as that of Slurm and Kubernetes."""

FIRST_DELAY_SECONDS, LONGEST_DELAY_SECONDS = 1.0, 60.0
SHORT_RUN_SECONDS = 20.0
MAX_SHORT_RUNS = 5

_log = logging.getLogger(__name__)


class WorkerProcess:
    """Keeps a worker running in one slot.

    A worker that was killed is restarted, after a delay that doubles after each short run. It is not restarted if it
    exits with an error (exit codes 1 and 2), or after five short runs in a row; ``failure`` is then the reason.
    """

    def __init__(self, slot: Slot, study: str, locations: Locations) -> None:
        self.slot, self.study, self.locations = slot, study, locations
        self.name = f"worker {slot.number + 1}"
        self.failure: str | None = None
        self._last_line = ""
        self._process: subprocess.Popen[str] | None = None
        self._started = 0.0
        self._short_runs = 0
        self._restart_at = 0.0

    @property
    def is_over(self) -> bool:
        """Whether the slot is done: its process exited successfully, or failed and is not restarted."""
        return self.failure is not None or (self._process is not None and self._process.poll() == 0)

    @property
    def is_running(self) -> bool:
        """Whether the process is running now, not waiting for its restart."""
        return self._process is not None and self._process.poll() is None

    def update(self) -> None:
        """Start the process if it is due, and check whether it has exited."""
        if self._process is None:
            if self.failure is None and time.monotonic() >= self._restart_at:
                self._start()
            return
        code = self._process.poll()
        if code:
            self._process = None
            self._handle_exit(code)

    def terminate(self) -> None:
        """Ask the process to release its trials and exit."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()

    def wait_or_kill(self, kill_at: float) -> None:
        """Wait until the process has exited; kill it at the time ``kill_at`` of ``time.monotonic``."""
        if self._process is None:
            return
        try:
            self._process.wait(max(0.0, kill_at - time.monotonic()))
        except subprocess.TimeoutExpired:
            _log.warning("%s did not exit within %.0f s: killing it", self.name, SHUTDOWN_SECONDS)
            self._process.kill()
            self._process.wait()
        self._listener.join(1.0)  # its last lines say what it saved

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
            start_new_session=True,  # Ctrl-C reaches only the launcher, which asks the workers to exit
        )
        self._started, self._last_line = time.monotonic(), ""
        self._listener = threading.Thread(target=self._listen, args=(self._process.stdout,), daemon=True)
        self._listener.start()

    def _listen(self, output: IO[str]) -> None:
        for line in output:
            # An error may have a second line: keep the first, which says what is wrong.
            if not self._last_line.startswith(ERROR):
                self._last_line = line.strip() or self._last_line
            _log.info("%s: %s", self.name, line.rstrip())

    def _handle_exit(self, code: int) -> None:
        if code in (1, 2):
            self._listener.join(1.0)  # read its remaining output
            self.failure = f"{self.name}: {self._last_line}"
            return
        description = _describe_exit(code)
        was_short = time.monotonic() - self._started < SHORT_RUN_SECONDS
        self._short_runs = self._short_runs + 1 if was_short else 0
        if self._short_runs == MAX_SHORT_RUNS:
            self.failure = f"{self.name} {description} soon after its start, {MAX_SHORT_RUNS} times in a row"
            _log.warning("%s: not restarting it", self.failure)
            return
        delay = min(FIRST_DELAY_SECONDS * 2**self._short_runs, LONGEST_DELAY_SECONDS)
        self._restart_at = time.monotonic() + delay
        _log.warning("%s %s: restarting it in %.0f s", self.name, description, delay)


def _describe_exit(code: int) -> str:
    """How a process ended, from its exit code, which is negative after a signal."""
    if code == -signal.SIGKILL:
        return "was killed by SIGKILL (possibly out of memory)"
    return f"was killed by {signal.Signals(-code).name}" if code < 0 else f"exited with code {code}"
