"""Memory of training processes: how it is allocated, and how much was used."""

import ctypes
import resource
import sys

import torch

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
"""Names of glibc's malloc.h."""

_THRESHOLD_BYTES = 2**30


def keep_freed_memory() -> None:
    """Reuse freed memory in this process instead of returning it to the system.

    By default, glibc allocates new pages for every tensor of more than 32 MB, and the system must zero them: with eight
    trials of 64 hidden channels side by side, this took 30 % of a step. Smaller tensors are not affected. Does nothing
    without glibc, or if glibc does not accept the threshold (before 2.35).
    """
    if sys.platform != "linux":
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None and mallopt(_M_MMAP_THRESHOLD, _THRESHOLD_BYTES):
        mallopt(_M_TRIM_THRESHOLD, _THRESHOLD_BYTES)


def peak_memory_mb(device: torch.device) -> int:
    """Peak memory of this process so far, in MB: of the GPU if it trains on one, otherwise of the system."""
    if device.type == "cuda":
        return round(torch.cuda.max_memory_reserved(device) / 1e6)
    unit = 1 if sys.platform == "darwin" else 1024  # bytes on macOS, KiB on Linux
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6)
