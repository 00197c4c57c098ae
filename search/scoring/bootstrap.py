"""How certain a co-bps is: bootstrap over the trials that it was measured on (Efron & Tibshirani 1993).

A score on val is a sum over the recording's trials, and other trials of the same session would have given another. A
resample draws as many trials as val has, with repeats, and scores them against the same null model; its spread over
many resamples is that of the score. Two models that were scored on the same trials are compared on the same
resamples, so that what makes a trial easy or hard for both cancels.
"""

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

RESAMPLES = 2000
SEED = 0
SHARE = 95
"""Per cent of the resamples that a range holds; as many lie below as above."""

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Range:
    """Where a score lies in all but the most unlikely resamples."""

    low: float
    high: float

    def __contains__(self, value: float) -> bool:
        return self.low <= value <= self.high


def resampled_co_bps(gain_B: Array, spikes_B: Array) -> Array:
    """co-bps in each resample, from the gain in nats and the spikes of each of the recording's trials.

    Equal numbers of trials give equal resamples, whenever and wherever.
    """
    draws_RB = _draws(len(gain_B))
    co_bps_R: Array = (draws_RB @ gain_B) / (draws_RB @ spikes_B) / math.log(2)
    return co_bps_R


def range_of(values_R: Array) -> Range:
    """The range that holds the middle of the resampled values."""
    low, high = np.percentile(values_R, [50 - SHARE / 2, 50 + SHARE / 2])
    return Range(float(low), float(high))


def differ_significantly(one_R: Array, other_R: Array) -> bool:
    """Whether two models' scores differ in more than the draw of trials, by their co-bps in the same resamples."""
    return 0.0 not in range_of(one_R - other_R)


@lru_cache(maxsize=1)
def _draws(n_trials: int) -> Array:
    """How often each of the trials is drawn in each resample, R x B."""
    draws = np.random.default_rng(SEED).multinomial(n_trials, np.full(n_trials, 1 / n_trials), size=RESAMPLES)
    return draws.astype(np.float64)
