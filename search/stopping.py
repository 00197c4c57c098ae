"""How a process is asked to leave: Ctrl-C, SIGTERM, or the end of the process that started it."""

import os
import signal
import threading
from types import FrameType

LAUNCHER_VARIABLE = "NLB_SEARCH_LAUNCHER"
"""Set by ``launch`` for its workers: its process id. A worker whose parent is another one has lost its launcher."""


class Stop(threading.Event):
    """Set when the process shall hand back its work and leave. ``signal`` is the signal that asked, if one did."""

    def __init__(self) -> None:
        super().__init__()
        self.signal: int | None = None

    def listen(self) -> "Stop":
        """Turn Ctrl-C and SIGTERM into this event; a second one ends the process at once, as without us."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._heard)
        return self

    def _heard(self, number: int, _frame: FrameType | None) -> None:
        self.signal = number
        self.set()
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)

    def check_launcher(self) -> None:
        """Stop if this worker's launcher is gone: nobody would end it, or show what it does."""
        launcher = os.environ.get(LAUNCHER_VARIABLE)
        if launcher is not None and os.getppid() != int(launcher):
            self.set()
