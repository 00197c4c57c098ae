"""How much more trials are expected to increase the best score of a study.

As many trials again are expected to gain what the last doubling of their number gained: the best score of all trials
minus the best of a random half of them, on average over all halves. If the order of the trials does not matter, this
is also what doubling them again gains where the upper tail of the scores is exponential; it is more than that where
the scores have a highest possible value, as co-bps does.
"""

from collections.abc import Sequence

from optuna.trial import FrozenTrial

from nlb_search.search.trials.trial_scores import network_score
from nlb_search.storage.claims.trial_counts import FINISHED

LEAST_TRIALS = 16
"""With fewer trials, the highest scores are too few for an estimate."""


def expected_gain(scores: Sequence[float]) -> float | None:
    """Expected increase of the highest of ``scores`` (co-bps on val, one per trial) by as many trials again.

    Assumes that further trials are like those so far. Returns None with fewer than ``LEAST_TRIALS`` scores.
    """
    n_trials, n_half = len(scores), len(scores) // 2
    if n_trials < LEAST_TRIALS:
        return None
    highest = sorted(scores, reverse=True)
    gain, without_higher = 0.0, 1.0
    for rank, score in enumerate(highest[: n_trials - n_half + 1]):
        # The probability that a half has this score, among the halves that have no higher one.
        share = n_half / (n_trials - rank)
        gain += without_higher * share * (highest[0] - score)
        without_higher *= 1 - share
    return gain


def expected_gain_of(trials: Sequence[FrozenTrial]) -> float | None:
    """Expected increase of the best co-bps by as many finished trials again, or None if there are too few to say."""
    return expected_gain(
        [network_score(trial) for trial in trials if trial.state in FINISHED and trial.intermediate_values]
    )


def is_flat(trials: Sequence[FrozenTrial], threshold: float | None) -> bool:
    """Whether as many finished trials again are expected to gain less than ``threshold`` (never, if it is None)."""
    gain = None if threshold is None else expected_gain_of(trials)
    return threshold is not None and gain is not None and gain < threshold
