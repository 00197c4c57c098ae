"""How a process is asked to leave: Ctrl-C, SIGTERM, or the end of the process that started it."""

import os
import signal
import threading
import time
from types import FrameType

from nlb_search.search.worker_protocol import LAUNCHER_VARIABLE

HURRY_SECONDS = 10.0
"""How long a training may take to reach the end of its epoch once it was asked to stop."""


class Stop(threading.Event):
    """Set when the process is to release its trials and exit; after ``set_paused(True)`` it releases them and waits."""

    def __init__(self) -> None:
        super().__init__()
        self._asked_at: float | None = None
        self._is_paused = False

    def listen(self, *more: signal.Signals) -> "Stop":
        """Turn Ctrl-C, SIGTERM and ``more`` into this event.

        A second one ends the process at once, as without us. A worker that has a launcher leaves that to the launcher.
        """
        for number in (signal.SIGINT, signal.SIGTERM, *more):
            signal.signal(number, self._on_signal)
        return self

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        # From a thread: the handler may have interrupted a wait that holds the event's own lock.
        threading.Thread(target=self.set).start()
        if LAUNCHER_VARIABLE in os.environ:
            return  # Slurm tells every process of a job, and the launcher its workers again: twice is no hurry
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)

    def set(self) -> None:
        super().set()  # first, for set_paused() must not reset the time
        self._asked_at = self._asked_at or time.monotonic()

    def wait(self, timeout: float | None = None) -> bool:
        """Until it is set or the time is over; a worker that has lost its launcher waits for nothing more."""
        self.check_launcher()
        return super().wait(timeout)

    def set_paused(self, paused: bool) -> None:
        """Hand back the work without leaving, or take up work again."""
        if paused:
            self._asked_at = self._asked_at or time.monotonic()
        elif not self.is_set():
            self._asked_at = None
        self._is_paused = paused

    @property
    def releases_trials(self) -> bool:
        """Whether running trials are to be released, to exit or to wait."""
        return self._is_paused or self.is_set()

    def is_urgent(self) -> bool:
        """Whether that was asked so long ago that the end of an epoch is not worth waiting for."""
        return self._asked_at is not None and time.monotonic() - self._asked_at > HURRY_SECONDS

    def check_launcher(self) -> None:
        """Stop if this worker's launcher is gone: nobody would end it, or show what it does."""
        launcher = os.environ.get(LAUNCHER_VARIABLE)
        if launcher is not None and os.getppid() != int(launcher):
            self.set()
