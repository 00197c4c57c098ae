"""Checks that a recording fits into memory before it is read."""

from collections.abc import Iterable
from math import prod
from pathlib import Path

import psutil

from nlb_search.data.errors import DataError

_COPIES = 2
"""Train and val are in memory separately and, while their trials are sorted, also joined."""

_GB = 1e9


def check_memory(path: Path, shapes: Iterable[tuple[int, int, int]]) -> None:
    """Raises DataError if counts of these shapes, trials x bins x neurons, need more memory than is available.

    Each count takes a byte.
    """
    known = list(shapes)
    needed, available = _COPIES * sum(map(prod, known)), psutil.virtual_memory().available
    if needed > available:
        n_trials, n_bins, n_neurons = max(known, key=prod)
        raise DataError(
            f"{path}: preparing {n_trials} trials x {n_bins} bins x {n_neurons} neurons needs {needed / _GB:.1f} GB of "
            f"memory, and {available / _GB:.1f} GB are available: use wider bins or shorter windows, or prepare the "
            "recording on a machine with more memory and the same NLB_SEARCH_CACHE"
        )
