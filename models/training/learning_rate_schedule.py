"""The learning rate schedule: a linear warm-up, then a constant learning rate.

It has no fixed end, so a training may stop as soon as val stops improving, and a longer training begins exactly as a
shorter one. The average of the weights (``models.training.weight_average``) replaces a decay of the learning rate.
"""

from torch import Tensor

WARM_UP_STEPS = 40
"""Number of steps in which the learning rate rises to its full value."""

FIRST_SHARE = 1 / 5
"""Learning rate of the first step, as a fraction of the full one."""


def learning_rate(done_K: Tensor, lr_K: Tensor) -> Tensor:
    """Learning rate of each of K networks for its next step.

    ``done_K`` is the number of steps that each network has done (float64), ``lr_K`` its full learning rate.
    """
    return lr_K * (FIRST_SHARE + (1 - FIRST_SHARE) * (done_K / WARM_UP_STEPS).clamp(max=1))
