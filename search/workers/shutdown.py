"""Stops a process on Ctrl-C, SIGTERM, or when its launcher is gone."""

import os
import signal
import threading
import time
from types import FrameType

from nlb_search.search.worker_protocol import LAUNCHER_VARIABLE

URGENT_SECONDS = 10.0
"""Time in which a training must reach the end of its epoch after it was asked to stop."""


class Stop(threading.Event):
    """Event that is set when the process must release its trials and exit.

    While paused (see ``set_paused``), the process releases its trials and waits.
    """

    def __init__(self) -> None:
        super().__init__()
        self._asked_at: float | None = None
        self._is_paused = False

    def listen(self, *more: signal.Signals) -> "Stop":
        """Set this event on Ctrl-C, SIGTERM and the signals ``more``; returns self.

        A second signal has its default effect and ends the process at once, except in a worker with a launcher.
        """
        for number in (signal.SIGINT, signal.SIGTERM, *more):
            signal.signal(number, self._on_signal)
        return self

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        # In a thread, because the handler may have interrupted a wait that holds the event's lock.
        threading.Thread(target=self.set).start()
        if LAUNCHER_VARIABLE in os.environ:
            return  # workers get the signal twice, from Slurm and from the launcher
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)

    def set(self) -> None:
        """Ask the process to release its trials and exit."""
        super().set()  # first, because set_paused(False) resets the time unless the event is set
        self._asked_at = self._asked_at or time.monotonic()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until the event is set or ``timeout`` seconds have passed. Sets the event if the launcher is gone."""
        self.check_launcher()
        return super().wait(timeout)

    def set_paused(self, paused: bool) -> None:
        """Release trials without exiting if ``paused``, else resume work."""
        if paused:
            self._asked_at = self._asked_at or time.monotonic()
        elif not self.is_set():
            self._asked_at = None
        self._is_paused = paused

    @property
    def releases_trials(self) -> bool:
        """Whether running trials must be released, to exit or to pause."""
        return self._is_paused or self.is_set()

    def is_urgent(self) -> bool:
        """Whether the request is so old that training must be interrupted within an epoch."""
        return self._asked_at is not None and time.monotonic() - self._asked_at > URGENT_SECONDS

    def check_launcher(self) -> None:
        """Set the event if this worker's launcher is gone."""
        launcher = os.environ.get(LAUNCHER_VARIABLE)
        if launcher is not None and os.getppid() != int(launcher):
            self.set()
