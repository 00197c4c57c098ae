"""The average of a network's weights over its last steps, which predicts better than the weights themselves.

Polynomial-decay averaging (Shamir & Zhang 2013, https://arxiv.org/abs/1212.1824): step t has a weight that grows as
t^``POWER``, so that the average is over about the last tenth of the steps, however many there are.
"""

from torch import Tensor

POWER = 9


def update_average(average_KP: Tensor, weights_KP: Tensor, done_K: Tensor) -> None:
    """Update the averages of K networks in place after a step. ``done_K`` is the number of earlier steps (float64)."""
    share_K = (POWER + 1) / (done_K + 1 + POWER)
    average_KP.lerp_(weights_KP, share_K.float().unsqueeze(1))
