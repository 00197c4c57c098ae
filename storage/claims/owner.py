"""Which worker holds a trial, and whether its process is still there."""

import os
import socket
import sys
import uuid
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil

OWNER_KEY = "worker"
"""The trial's attribute that holds its owner; None once it was released."""


@dataclass(frozen=True)
class Owner:
    """A worker, in a process. ``started`` tells that from a later one with its number, ``machine`` from one elsewhere:
    containers may share a host's name and not its processes. ``worker`` tells workers of one process apart.
    """

    host: str
    machine: str
    pid: int
    started: float
    worker: str

    @classmethod
    def new(cls) -> "Owner":
        """A worker in this process."""
        return cls(socket.gethostname(), _this_machine(), os.getpid(), _started(os.getpid()), uuid.uuid4().hex)

    @classmethod
    def from_attribute(cls, value: Any) -> "Owner | None":
        return cls(**value) if value else None

    def as_attribute(self) -> dict[str, Any]:
        return asdict(self)

    @property
    def is_here(self) -> bool:
        """Whether the process, if it lives, is one that this process could see."""
        return self.machine == _this_machine()

    def is_certainly_dead(self) -> bool:
        """Whether the process is known to have ended: of one elsewhere that cannot be known without a heartbeat."""
        if not self.is_here:
            return False
        try:
            return psutil.Process(self.pid).status() == psutil.STATUS_ZOMBIE or _started(self.pid) != self.started
        except (psutil.NoSuchProcess, FileNotFoundError, ProcessLookupError):
            return not _is_hidden(self.pid)

    def __str__(self) -> str:
        return f"{self.host}:{self.pid}"


def _this_machine() -> str:
    """What no other machine, start of this one, or container with processes of its own has in common with us."""
    if sys.platform != "linux":
        return socket.gethostname()
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return f"{socket.gethostname()} {boot} {Path('/proc/self/ns/pid').readlink()}"


def _is_hidden(pid: int) -> bool:
    """Whether there is a process that we may not look at: another user's, where /proc is mounted with hidepid."""
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True
    except ProcessLookupError:
        return False
    return True


def _started(pid: int) -> float:
    """When a process of this machine started: on Linux in ticks since the machine did, which no clock change moves."""
    if sys.platform != "linux":
        return psutil.Process(pid).create_time()
    # The name in parentheses may hold spaces and parentheses itself; the start is the 20th field after it.
    return float(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])
