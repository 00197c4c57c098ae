"""Bootstrap confidence intervals of co-bps over the recording's trials (Efron & Tibshirani 1993).

A score on val is a sum over val trials and would differ for other trials of the same session. A resample draws as many
trials as val has, with replacement, and scores them against the same null model. The distribution of the score over
many resamples estimates its sampling distribution. Two models scored on the same trials are compared on the same
resamples, so that differences in difficulty between trials cancel out.

Suffixes of arrays name their axes: B trials, R resamples.
"""

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

RESAMPLES = 2000
SEED = 0
CONFIDENCE_PERCENT = 95
"""Confidence level in percent: half of the other resamples lie below the range, and half above."""

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class ConfidenceInterval:
    """Confidence interval of a score, in bits per spike."""

    low: float
    high: float

    def __contains__(self, value: float) -> bool:
        return self.low <= value <= self.high


def resampled_co_bps(gain_B: Array, spikes_B: Array) -> Array:
    """co-bps in each resample, from each trial's gain over the null model in nats and its number of spikes.

    The resamples depend only on the number of trials.
    """
    draws_RB = _draws(len(gain_B))
    co_bps_R: Array = (draws_RB @ gain_B) / (draws_RB @ spikes_B) / math.log(2)
    return co_bps_R


def percentile_interval(values_R: Array) -> ConfidenceInterval:
    """The percentile interval of the resampled values."""
    low, high = np.percentile(values_R, [50 - CONFIDENCE_PERCENT / 2, 50 + CONFIDENCE_PERCENT / 2])
    return ConfidenceInterval(float(low), float(high))


def differ_significantly(one_R: Array, other_R: Array) -> bool:
    """Whether two models' scores differ significantly, given their co-bps in the same resamples."""
    return 0.0 not in percentile_interval(one_R - other_R)


@lru_cache(maxsize=1)
def _draws(n_trials: int) -> Array:
    """Number of times that each trial is drawn in each resample, R x B."""
    draws = np.random.default_rng(SEED).multinomial(n_trials, np.full(n_trials, 1 / n_trials), size=RESAMPLES)
    return draws.astype(np.float64)
