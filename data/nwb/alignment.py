"""Windows of trials, in bins of the session, computed in exact integers.

The rules are those of ``NWBDataset.make_trial_data`` (nlb_tools 0.0.4). A window has all bins that start in it. If
windows must not overlap, a window ends where the next window or the next trial begins. All windows end at the end of
the recording.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nlb_search.data.nwb.trial_table import Times, TrialTable

IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

_NEVER = np.iinfo(np.int64).max
_LAST_NS = 1_000
"""The last bin of a window starts at least this long before the window's end, which is exclusive."""


@dataclass(frozen=True, eq=False)
class Span:
    """Start and end of the window of each trial of a table. ``origin`` is the time that its bins are counted from.

    If ``overlap`` is true, a window may extend into the next trial or its window.
    """

    start: Times
    stop: Times
    origin: Times
    overlap: bool


@dataclass(frozen=True, eq=False)
class Windows:
    """One window per trial: ``n_bins`` bins from bin ``first`` of the session.

    ``rows`` are the rows of the trials in their table, without trials that have no time. ``steps`` is the number of
    bins from the bin of the trial's origin to the first bin of the window. ``shared`` is true for windows that share
    bins with another window although windows must not overlap.
    """

    rows: IntArray
    first: IntArray
    n_bins: IntArray
    steps: IntArray
    shared: BoolArray

    def bins(self) -> IntArray:
        """The bins of the windows, windows x bins. All windows must have the same length."""
        length = self.n_bins[0] if len(self.n_bins) else 0
        return self.first[:, None] + np.arange(length)

    def chosen(self, mask: BoolArray) -> "Windows":
        return Windows(self.rows[mask], self.first[mask], self.n_bins[mask], self.steps[mask], self.shared[mask])


def around(times: Times, span_ms: tuple[int, int], overlap: bool) -> Span:
    """The window ``span_ms`` (start, end) relative to a time of each trial, which is also its origin."""
    start, stop = (times + np.timedelta64(ms, "ms") for ms in span_ms)
    return Span(start, stop, times, overlap)


def cut(trials: TrialTable, included: BoolArray, span: Span, bin_ms: int, n_session_bins: int) -> Windows:
    """The windows of the included trials in bins of ``bin_ms``, truncated to the session."""
    trial_start = trials["start_time"]
    next_start = np.append(_nanoseconds(trial_start)[1:], _NEVER)
    timed: BoolArray = np.asarray(~np.isnat([trial_start, span.start, span.stop, span.origin]).any(axis=0))
    # The bounds come from the included trials only, but also from those without a time.
    bounds = np.minimum(next_start, _nanoseconds(span.start))[included]
    bounds = np.append(bounds[1:], _NEVER)[timed[included]]
    rows = np.flatnonzero(included & timed)
    start, stop, origin = (times[rows].astype(np.int64) for times in (span.start, span.stop, span.origin))
    last = stop - _LAST_NS
    if not span.overlap:
        last = np.where(last > bounds, bounds - _LAST_NS, last)
    bin_ns = bin_ms * 1_000_000
    first = np.clip(-(-start // bin_ns), 0, n_session_bins)
    n_bins = np.maximum(np.clip(last // bin_ns + 1, 0, n_session_bins) - first, 0)
    shared = np.zeros(len(rows), dtype=bool) if span.overlap else _shared(first, n_bins)
    return Windows(rows, first, n_bins, first + -origin // bin_ns, shared)


def _nanoseconds(times: Times) -> IntArray:
    return np.where(np.isnat(times), _NEVER, times.astype(np.int64))


def _shared(first: IntArray, n_bins: IntArray) -> BoolArray:
    order = np.argsort(first, kind="stable")
    begins, ends = first[order], np.maximum.accumulate((first + n_bins)[order])
    shared = np.zeros(len(first), dtype=bool)
    shared[order[1:]] = (begins[1:] < ends[:-1]) & (n_bins[order[1:]] > 0)
    return shared
