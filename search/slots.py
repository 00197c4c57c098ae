"""Where workers run on this machine: a share of a GPU, or a share of the CPU's cores."""

import os
import sys
from dataclasses import dataclass

from search.errors import UsageError


@dataclass(frozen=True)
class Slot:
    """One worker's share of the machine. ``gpu`` is the device it sees, as CUDA names it, or None for the CPU."""

    number: int
    gpu: str | None
    threads: int

    @property
    def environment(self) -> dict[str, str]:
        """What the worker's environment says of its share."""
        threads = str(self.threads)
        return {
            "CUDA_VISIBLE_DEVICES": self.gpu or "",
            "OMP_NUM_THREADS": threads,
            "MKL_NUM_THREADS": threads,
            "OPENBLAS_NUM_THREADS": threads,
        }


def usable_cores() -> int:
    """Cores that this process may run on."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


def visible_gpus() -> list[str]:
    """The GPUs that a worker could be given, as CUDA_VISIBLE_DEVICES names them."""
    import torch  # here, because it takes seconds, and most commands never ask

    limited = os.environ.get("CUDA_VISIBLE_DEVICES")
    names = limited.split(",") if limited else [str(index) for index in range(torch.cuda.device_count())]
    return names if torch.cuda.is_available() else []


def chosen_gpus(choice: str) -> list[str]:
    """The GPUs that ``--gpus`` asks for: all, none, or some by their numbers. Raises UsageError for one not there."""
    if choice == "none":
        return []
    there = visible_gpus()
    if choice == "all":
        return there
    wanted = [name.strip() for name in choice.split(",")]
    for name in wanted:
        if name not in there:
            found = ", ".join(there) or "none"
            raise UsageError(f"--gpus {choice}: there is no GPU '{name}' (found: {found}): give all, none or numbers")
    return wanted


def make_slots(gpus: list[str], per_gpu: int, workers: int | None) -> list[Slot]:
    """A slot for every worker: ``per_gpu`` on each GPU, or one a core where there is none, unless told how many.

    The workers share the cores, so that together they never run more threads than there are cores.
    """
    cores = usable_cores()
    count = workers or (len(gpus) * per_gpu if gpus else cores)
    threads = max(1, cores // count)
    return [Slot(number, gpus[number % len(gpus)] if gpus else None, threads) for number in range(count)]
