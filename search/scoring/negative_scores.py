"""What a negative co-bps means, for the commands that show scores."""

import math

_DECIMALS = 4
"""Decimals of the scores that are shown."""


def negative_score_warning(co_bps: float) -> str | None:
    """What to tell the user about a co-bps below 0, or None for any other.

    co-bps compares the model with each neuron's mean rate over the scored trials, which has the score 0
    (Pei, Ye et al. 2021, https://arxiv.org/abs/2109.04463).
    """
    if math.isnan(co_bps) or round(co_bps, _DECIMALS) >= 0:
        return None
    return (
        "co-bps is negative: the model predicts worse than each neuron's mean rate. Check the recording with "
        "`nlb-search inspect` (few held-out spikes, windows at the wrong time, rates that differ between train and "
        "val); then try wider bins, more trials, longer training or a smaller chain"
    )
