"""The worker that holds a trial, and whether its process is still alive."""

import os
import socket
import sys
import uuid
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil
from optuna.trial import FrozenTrial

OWNER_KEY = "worker"
"""User attribute of the trial that stores its owner; None after a release."""


@dataclass(frozen=True)
class Owner:
    """A worker and its process.

    ``started`` distinguishes the process from a later one with the same pid, ``machine`` from one on another machine:
    containers may share a host name but not its processes. ``worker`` distinguishes workers in the same process.
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
        """Whether the process runs on this machine, where this process can check it."""
        return self.machine == _this_machine()

    def is_certainly_dead(self) -> bool:
        """Whether the process is known to have ended. Always false for other machines: only heartbeats show that."""
        if not self.is_here:
            return False
        try:
            return psutil.Process(self.pid).status() == psutil.STATUS_ZOMBIE or _started(self.pid) != self.started
        except (psutil.NoSuchProcess, FileNotFoundError, ProcessLookupError):
            return not _is_hidden(self.pid)

    def __str__(self) -> str:
        return f"{self.host}:{self.pid}"


def _this_machine() -> str:
    """An id of this machine, this boot and this PID namespace: containers may have their own processes."""
    if sys.platform != "linux":
        return socket.gethostname()
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return f"{socket.gethostname()} {boot} {Path('/proc/self/ns/pid').readlink()}"


def _is_hidden(pid: int) -> bool:
    """Whether the process exists but is not visible: another user's, if /proc is mounted with hidepid."""
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True
    except ProcessLookupError:
        return False
    return True


def _started(pid: int) -> float:
    """Start time of a process on this machine: on Linux in ticks since boot, which clock changes do not affect."""
    if sys.platform != "linux":
        return psutil.Process(pid).create_time()
    # The name in parentheses may contain spaces and parentheses; the start time is the 20th field after it.
    return float(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])


def live_owner(trial: FrozenTrial, stale_ids: frozenset[int]) -> Owner | None:
    """The process that holds a running trial, or None if it was released or its process is gone.

    ``stale_ids`` are the ids of the trials without a recent heartbeat. They count only for processes on other machines:
    a process on this one can be checked, and keeps its trial however long the database was unreachable.
    """
    owner = Owner.from_attribute(trial.user_attrs.get(OWNER_KEY))
    if owner is None:
        return None
    gone = owner.is_certainly_dead() if owner.is_here else trial._trial_id in stale_ids
    return None if gone else owner
