"""How much more trials are expected to increase the best score of a study.

The highest scores are taken as the upper tail of an exponential distribution (Weissman 1978,
https://doi.org/10.1080/01621459.1978.10480104): its scale is the mean distance of the highest scores from the next one.
The best of n such trials is expected to be about the scale times log(n) above a fixed level.
"""

import math
from collections.abc import Sequence
from statistics import fmean

from optuna.trial import FrozenTrial

from nlb_search.search.study.trial_scores import network_score
from nlb_search.storage.claims.trial_counts import FINISHED

TAIL_SHARE = 1 / 4
"""Share of the trials whose scores are the upper tail."""

LEAST_TRIALS = 16
"""With fewer trials, the tail has too few scores for an estimate."""


def expected_gain(scores: Sequence[float], more_trials: int) -> float | None:
    """Expected increase of the highest of ``scores`` (co-bps on val, one per trial) by ``more_trials`` trials.

    Assumes that further trials are like those so far. Returns None with fewer than ``LEAST_TRIALS`` scores.
    """
    n_trials = len(scores)
    if n_trials < LEAST_TRIALS:
        return None
    highest = sorted(scores, reverse=True)
    n_tail = round(TAIL_SHARE * n_trials)
    scale = fmean(highest[:n_tail]) - highest[n_tail]
    return scale * math.log((n_trials + more_trials) / n_trials)


def expected_gain_of(trials: Sequence[FrozenTrial]) -> float | None:
    """Expected increase of the best co-bps by as many finished trials again, or None if there are too few to say."""
    scores = [network_score(trial) for trial in trials if trial.state in FINISHED and trial.intermediate_values]
    return expected_gain(scores, len(scores))


def is_flat(trials: Sequence[FrozenTrial], threshold: float | None) -> bool:
    """Whether as many finished trials again are expected to gain less than ``threshold`` (never, if it is None)."""
    gain = None if threshold is None else expected_gain_of(trials)
    return threshold is not None and gain is not None and gain < threshold
