"""Slots for workers on this machine: a GPU, or a CPU core."""

import math
import os
import sys
from dataclasses import dataclass

from nlb_search.search.errors import UsageError
from nlb_search.search.launching.cpu_quota import cpu_quota


@dataclass(frozen=True)
class Slot:
    """The device of one worker: ``gpu`` is an entry of CUDA_VISIBLE_DEVICES, or None for a CPU core.

    ``side_by_side`` is the number of trials to train together, None for the default of the device.
    """

    number: int
    gpu: str | None
    side_by_side: int | None = None

    @property
    def options(self) -> list[str]:
        """Options of the worker's command."""
        return [] if self.side_by_side is None else ["--side-by-side", str(self.side_by_side)]

    @property
    def environment(self) -> dict[str, str]:
        """Environment variables of the worker.

        Every worker has one thread: scores must not depend on the number of workers, and a second thread does not help.
        """
        threads = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
        return {"CUDA_VISIBLE_DEVICES": self.gpu or ""} | dict.fromkeys(threads, "1")


def usable_cores() -> int:
    """Number of CPU cores available to this process: its affinity, and whole cores of its container's quota."""
    cores = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    quota = cpu_quota()
    return cores if quota is None else min(cores, max(1, math.floor(quota)))


def visible_gpus() -> list[str]:
    """The GPUs available to workers, as entries of CUDA_VISIBLE_DEVICES."""
    import torch  # imported here, because it takes seconds and most commands do not need it

    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    limited = os.environ.get("CUDA_VISIBLE_DEVICES")
    names = [name.strip() for name in limited.split(",")] if limited else [str(index) for index in range(count)]
    return names[:count]


def chosen_gpus(choice: str) -> list[str]:
    """The GPUs selected by ``--gpus``: all, none, or a list of numbers. Raises UsageError for an unavailable GPU."""
    if choice == "none":
        return []
    visible = visible_gpus()
    if choice == "all":
        return visible
    wanted = [name.strip() for name in choice.split(",")]
    for name in wanted:
        if name not in visible:
            listed = ", ".join(visible) or "none"
            raise UsageError(
                f"--gpus {choice}: there is no GPU '{name}' (available: {listed}): pass all, none or numbers"
            )
    return wanted


def make_slots(gpus: list[str], per_gpu: int, workers: int | None, side_by_side: int | None = None) -> list[Slot]:
    """One slot per worker. The default number is ``per_gpu`` on each GPU, or one per CPU core without a GPU."""
    count = workers if workers is not None else (len(gpus) * per_gpu if gpus else usable_cores())
    return [Slot(number, gpus[number % len(gpus)] if gpus else None, side_by_side) for number in range(count)]
