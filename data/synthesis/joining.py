"""Joining two sessions into one: the benchmark's test targets are made from the trials of both files."""

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from nlb_search.data.nwb.session import Session, Units

_PAUSE_S = 0.05
"""Minimum pause between the sessions. The second one starts at the next tenth of a second, as in nlb_tools."""


def joined(first: Session, second: Session) -> Session:
    """Append the second session to the first, with unobserved time in between.

    Both must have the same neurons and the same columns.
    """
    begin_ms = int(np.ceil(((first.length_ms - 1) / 1000 + _PAUSE_S) * 10)) * 100
    later = {
        name: column + np.timedelta64(begin_ms, "ms") if name.endswith("_time") else column
        for name, column in second.trials.items()
    }
    behavior = None
    if first.behavior is not None and second.behavior is not None:
        behavior = _after(first.behavior, second.behavior, begin_ms, np.nan)
    return replace(
        first,
        trials={name: np.concatenate([column, later[name]]) for name, column in first.trials.items()},
        heldin=_joined_units(first.heldin, second.heldin, begin_ms),
        heldout=_joined_units(first.heldout, second.heldout, begin_ms),
        behavior=behavior,
        length_ms=begin_ms + second.length_ms,
    )


def _joined_units(first: Units, second: Units, begin_ms: int) -> Units:
    spikes = zip(first.spike_ms, second.spike_ms, strict=True)
    return Units(
        ids=first.ids,
        spike_ms=[np.concatenate([earlier, later + begin_ms]) for earlier, later in spikes],
        observed=_after(first.observed, second.observed, begin_ms, False),
    )


def _after(first: npt.NDArray[Any], second: npt.NDArray[Any], begin_ms: int, between: float) -> npt.NDArray[Any]:
    gap = np.full((begin_ms - len(first), *first.shape[1:]), between, first.dtype)
    return np.concatenate([first, gap, second])
