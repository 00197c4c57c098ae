"""Intervals of time in nanoseconds, intervals x 2 (start, exclusive end).

Times are stored in seconds as floating point. Two times less than a microsecond apart, which is less than any sampling
interval, are treated as equal.
"""

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]
FloatArray = npt.NDArray[np.floating[Any]]

NS_PER_MS = 1_000_000
EQUAL_NS = 1_000


def nanoseconds(time_s: FloatArray) -> IntArray:
    """Convert finite times from seconds to the nearest nanosecond."""
    return np.rint(np.asarray(time_s, np.float64) * 1e9).astype(np.int64)


def merged(spans: IntArray) -> IntArray:
    """The time that is in at least one of the intervals, in order; intervals that touch become one."""
    if not len(spans):
        return spans
    spans = spans[np.argsort(spans[:, 0], kind="stable")]
    ends = np.maximum.accumulate(spans[:, 1])
    apart = spans[1:, 0] > ends[:-1] + EQUAL_NS
    return np.stack([spans[np.append(True, apart), 0], ends[np.append(apart, True)]], axis=1)


def common(sets: Iterable[IntArray]) -> IntArray:
    """The time that is in an interval of every set of intervals."""
    several = [merged(spans) for spans in sets]
    bounds = np.concatenate([spans.T.ravel() for spans in several])
    steps = np.concatenate([np.repeat([1, -1], len(spans)) for spans in several])
    order = np.lexsort([-steps, bounds])
    bounds, inside = bounds[order], np.cumsum(steps[order]) == len(several)
    spans: IntArray = np.stack([bounds[:-1][inside[:-1]], bounds[1:][inside[:-1]]], axis=1)
    long: BoolArray = spans[:, 1] - spans[:, 0] > EQUAL_NS
    return spans[long]


def without(spans: IntArray, holes: IntArray) -> IntArray:
    """The time that is in one of ``spans`` and in none of ``holes``."""
    if not len(spans) or not len(holes):
        return merged(spans)
    holes = merged(holes)
    bounds = [min(spans.min(), holes.min()) - 1, *holes.ravel(), max(spans.max(), holes.max()) + 1]
    return common([spans, np.array(bounds, dtype=np.int64).reshape(-1, 2)])


def within(start: IntArray, length: int, spans: IntArray) -> BoolArray:
    """Whether the time from each start, for ``length``, lies in one of the intervals, which are sorted and disjoint."""
    if not len(spans):
        return np.zeros(len(start), dtype=bool)
    last = np.searchsorted(spans[:, 0], start + EQUAL_NS, side="right") - 1
    return np.asarray((last >= 0) & (start + length <= spans[last, 1] + EQUAL_NS))


def overlapping(start: IntArray, length: int, spans: IntArray) -> BoolArray:
    """Whether the time from each start, for ``length``, overlaps one of the intervals."""
    found = np.zeros(len(start), dtype=bool)
    for begin, end in spans:
        found |= (start < end - EQUAL_NS) & (start + length > begin + EQUAL_NS)
    return found
