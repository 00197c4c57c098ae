"""Adam with L2 regularization and weight decay for many networks at once, with one row of parameters per network.

The update is that of ``torch.optim.Adam`` (Kingma & Ba 2015, https://arxiv.org/abs/1412.6980), with the decoupled
weight decay of ``torch.optim.AdamW`` (Loshchilov & Hutter 2019, https://arxiv.org/abs/1711.05101), but every network
has its own learning rate, from its own position in the schedule (``models.training.learning_rate_schedule``), and its
own average of weights (``models.training.weight_average``). No operation synchronizes with the device.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from nlb_search.models.training.learning_rate_schedule import learning_rate
from nlb_search.models.training.weight_average import update_average

GRADIENT_NORM = 1.0
"""Maximum norm of a gradient. Recurrent layers need gradient clipping at high learning rates."""

BETA1, BETA2 = 0.9, 0.999
EPSILON = 1e-8


@dataclass(frozen=True)
class OptimizerSettings:
    """Optimizer settings: one value per network, and the weight decay of each of its parameters."""

    lr_K: Tensor
    l2_weight_K: Tensor
    weight_decay_KP: Tensor


@dataclass(frozen=True)
class OptimizerState:
    """The state of K networks, K x P each: weights, running means of the gradients and of their squares, and the
    average of the weights.
    """

    weights_KP: Tensor
    mean_KP: Tensor
    square_KP: Tensor
    average_KP: Tensor


def update(rows: OptimizerState, gradient_KP: Tensor, settings: OptimizerSettings, done_K: Tensor) -> None:
    """Update every network in place. ``done_K`` is the number of steps that each has done before, as float64."""
    # Clip the norm, as torch.nn.utils.clip_grad_norm_ does.
    norm_K1 = torch.linalg.vector_norm(gradient_KP, dim=1, keepdim=True)
    gradient_KP = gradient_KP * (GRADIENT_NORM / (norm_K1 + 1e-6)).clamp(max=1)
    gradient_KP.addcmul_(rows.weights_KP, settings.l2_weight_K.unsqueeze(1))
    rows.mean_KP.lerp_(gradient_KP, 1 - BETA1)
    rows.square_KP.mul_(BETA2).addcmul_(gradient_KP, gradient_KP, value=1 - BETA2)
    mean_bias_K, square_bias_K = (1 - decay ** (done_K + 1) for decay in (BETA1, BETA2))
    scale_KP = rows.square_KP.sqrt().div_(square_bias_K.sqrt().float().unsqueeze(1)).add_(EPSILON)
    lr_K = learning_rate(done_K, settings.lr_K)
    size_K = lr_K / mean_bias_K
    rows.weights_KP.mul_(1 - lr_K.float().unsqueeze(1) * settings.weight_decay_KP)
    rows.weights_KP.sub_((rows.mean_KP / scale_KP).mul_(size_K.float().unsqueeze(1)))
    update_average(rows.average_KP, rows.weights_KP, done_K)
