"""Where workers run on this machine: a share of a GPU, or a share of the CPU's cores."""

import os
import sys
from dataclasses import dataclass

from nlb_search.search.errors import UsageError


@dataclass(frozen=True)
class Slot:
    """One worker's share of the machine: a device that it sees, as CUDA names it, or None and one core of the CPU.

    ``side_by_side`` is how many trials it trains together, None for as many as suit the device.
    """

    number: int
    gpu: str | None
    side_by_side: int | None = None

    @property
    def options(self) -> list[str]:
        """What the worker's command says of its share."""
        return [] if self.side_by_side is None else ["--side-by-side", str(self.side_by_side)]

    @property
    def environment(self) -> dict[str, str]:
        """What the worker's environment says of its share. One thread, always: a trial's scores must not depend on
        how many workers there are, and a second thread gains nothing.
        """
        threads = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
        return {"CUDA_VISIBLE_DEVICES": self.gpu or ""} | dict.fromkeys(threads, "1")


def usable_cores() -> int:
    """Cores that this process may run on."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


def visible_gpus() -> list[str]:
    """The GPUs that a worker could be given, as CUDA_VISIBLE_DEVICES names them."""
    import torch  # here, because it takes seconds, and most commands never ask

    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    limited = os.environ.get("CUDA_VISIBLE_DEVICES")
    names = [name.strip() for name in limited.split(",")] if limited else [str(index) for index in range(count)]
    return names[:count]


def chosen_gpus(choice: str) -> list[str]:
    """The GPUs that ``--gpus`` asks for: all, none, or some by their numbers. Raises UsageError for one not there."""
    if choice == "none":
        return []
    visible = visible_gpus()
    if choice == "all":
        return visible
    wanted = [name.strip() for name in choice.split(",")]
    for name in wanted:
        if name not in visible:
            listed = ", ".join(visible) or "none"
            raise UsageError(f"--gpus {choice}: there is no GPU '{name}' (found: {listed}): give all, none or numbers")
    return wanted


def make_slots(gpus: list[str], per_gpu: int, workers: int | None, side_by_side: int | None = None) -> list[Slot]:
    """A slot for every worker: ``per_gpu`` on each GPU, or one a core where there is none, unless told how many."""
    count = workers if workers is not None else (len(gpus) * per_gpu if gpus else usable_cores())
    return [Slot(number, gpus[number % len(gpus)] if gpus else None, side_by_side) for number in range(count)]
