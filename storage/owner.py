"""Which process holds a trial, and whether it is still there."""

import os
import socket
from dataclasses import asdict, dataclass
from typing import Any

import psutil

OWNER_KEY = "worker"
"""The trial's attribute that holds its owner; None once it was handed back."""


@dataclass(frozen=True)
class Owner:
    """A process on a machine. ``started`` (seconds since the epoch) tells it from a later one with its number."""

    host: str
    pid: int
    started: float

    @classmethod
    def this_process(cls) -> "Owner":
        return cls(socket.gethostname(), os.getpid(), psutil.Process().create_time())

    @classmethod
    def from_attribute(cls, value: Any) -> "Owner | None":
        return cls(**value) if value else None

    def as_attribute(self) -> dict[str, Any]:
        return asdict(self)

    def is_surely_gone(self) -> bool:
        """Whether the process is known to have ended: only of this machine can that be known without a heartbeat."""
        if self.host != socket.gethostname():
            return False
        try:
            process = psutil.Process(self.pid)
            # A second of play: the clock that gives start times is adjusted while a machine runs.
            return bool(process.status() == psutil.STATUS_ZOMBIE or abs(process.create_time() - self.started) > 1)
        except psutil.NoSuchProcess:
            return True

    def __str__(self) -> str:
        return f"{self.host}:{self.pid}"
