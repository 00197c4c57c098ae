"""How much the best of n trials is overestimated by the val trials that selected it.

The best of n trials is selected on a resample of the val trials and scored on the trials that the resample left out
(Tsamardinos et al. 2018, https://doi.org/10.1007/s10994-018-5714-4). The difference is the bias of the selection among
trials. Each network was also saved at its best evaluation on all val trials; that part of the bias is not included.

Suffixes of arrays name their axes: K trials of the study, B val trials, R resamples, n the number of trials searched.
"""

import math
from dataclasses import dataclass

import numpy as np

from nlb_search.search.scoring.bootstrap import Array

RESAMPLES = 2000
MOST_SCORES = 2_000_000
"""Maximum number of scores in memory, resamples x trials; with more than 1,000 trials, there are fewer resamples."""

SEED = 0


@dataclass(frozen=True)
class SelectionBias:
    """co-bps of the best of 1, 2, ... trials, averaged over resamples and orders of the trials.

    ``selected`` is computed on the val trials that selected it, ``left_out`` on others.
    """

    selected: Array
    left_out: Array


def selection_bias(gain_KB: Array, spikes_B: Array) -> SelectionBias:
    """The selection bias of searches of 1 to K trials, from each trial's gain in nats and spikes per val trial."""
    rng = np.random.default_rng(SEED)
    n_searched, n_val = gain_KB.shape
    n_resamples = min(RESAMPLES, max(1, MOST_SCORES // n_searched))
    draws_RB = rng.multinomial(n_val, np.full(n_val, 1 / n_val), size=n_resamples).astype(float)
    draws_RB = draws_RB[draws_RB @ spikes_B > 0]
    # Each resample searches the trials in another order: the best of its first n is the best of n random trials.
    order_RK = rng.permuted(np.tile(np.arange(n_searched), (len(draws_RB), 1)), axis=1)
    scores_RK = np.take_along_axis(draws_RB @ gain_KB.T / (draws_RB @ spikes_B)[:, None], order_RK, axis=1)
    best_Rn = np.maximum.accumulate(scores_RK, axis=1)
    improves_Rn = np.diff(best_Rn, axis=1, prepend=-np.inf) > 0
    position_Rn = np.maximum.accumulate(np.where(improves_Rn, np.arange(n_searched), 0), axis=1)
    best_trial_Rn = np.take_along_axis(order_RK, position_Rn, axis=1)
    return SelectionBias(
        selected=_mean_co_bps(draws_RB, best_trial_Rn, gain_KB, spikes_B),
        left_out=_mean_co_bps((draws_RB == 0).astype(float), best_trial_Rn, gain_KB, spikes_B),
    )


def _mean_co_bps(weights_RB: Array, trial_Rn: Array, gain_KB: Array, spikes_B: Array) -> Array:
    """co-bps of the trials on weighted val trials. A ratio of sums over resamples, which have different spikes."""
    gain_n = np.take_along_axis(weights_RB @ gain_KB.T, trial_Rn, axis=1).sum(axis=0)
    co_bps_n: Array = gain_n / (weights_RB @ spikes_B).sum() / math.log(2)
    return co_bps_n
