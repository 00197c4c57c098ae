"""The one-cycle learning-rate schedule (Smith & Topin 2017, https://arxiv.org/abs/1708.07120).

The values are those of ``torch.optim.lr_scheduler.OneCycleLR``, momentum included, for many networks at different steps
of their schedules.
"""

import math

import torch
from torch import Tensor

WARM_UP = 0.15
"""Share of the steps in which the learning rate rises to its maximum; in the rest it falls to almost zero."""

FIRST_SHARE, LAST_SHARE = 1 / 5, 1 / 5e4
"""Learning rates of the first and the last step, as shares of the maximum.

Torch's defaults, 1 / 25 and a warm-up of 0.3, end at the same scores but get there later, because the first epochs
learn little.
"""

HIGH_MOMENTUM, LOW_MOMENTUM = 0.95, 0.85
"""Momentum falls while the learning rate rises, and rises while it falls."""


def one_cycle(done_K: Tensor, max_lr_K: Tensor, steps: int) -> tuple[Tensor, Tensor]:
    """Learning rate and momentum of each of K networks for its next step.

    ``done_K`` is the number of steps that each network has done (float64), ``max_lr_K`` its maximum learning rate, and
    ``steps`` the length of the whole schedule.
    """
    peak = WARM_UP * steps - 1
    rising = done_K <= peak
    # If no step comes before the peak, the first one is already past it.
    share_K = torch.where(rising, done_K / (peak or 1), (done_K - peak) / (steps - 1 - peak))
    cosine_K = (1 + torch.cos(math.pi * share_K)) / 2
    # From 1 at the peak to 0 at both ends.
    height_K = torch.where(rising, 1 - cosine_K, cosine_K)
    low_K = torch.where(rising, FIRST_SHARE, LAST_SHARE)
    lr_K = max_lr_K * (low_K + (1 - low_K) * height_K)
    return lr_K, HIGH_MOMENTUM - (HIGH_MOMENTUM - LOW_MOMENTUM) * height_K
