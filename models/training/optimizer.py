"""Adam with L2 regularization for many networks at once, one row of parameters for each network.

The update is that of ``torch.optim.Adam`` (Kingma & Ba 2015, https://arxiv.org/abs/1412.6980). Torch's own optimizer
takes one learning rate for all parameters that it updates; here each network has its own, from its own place in the
schedule (``models.training.learning_rate_schedule``). No operation waits for the device.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from nlb_search.models.training.learning_rate_schedule import one_cycle

GRADIENT_NORM = 1.0
"""Gradients longer than this are scaled down to it: recurrent layers at high learning rates need it."""

SQUARES_DECAY = 0.999
SMALL = 1e-8


@dataclass(frozen=True)
class Settings:
    """Settings of an update, one number for each of the K networks; ``steps`` is the length of the whole schedule."""

    lr_K: Tensor
    l2_weight_K: Tensor
    steps: int


@dataclass(frozen=True)
class Rows:
    """Networks as the optimizer sees them, K x P each: weights, and running means of gradients and their squares."""

    weights_KP: Tensor
    mean_KP: Tensor
    square_KP: Tensor


def update(rows: Rows, gradient_KP: Tensor, settings: Settings, done_K: Tensor) -> None:
    """One step of every network, in place, after ``done_K`` steps (float64) that each has behind it."""
    # A gradient that is scaled down keeps its direction, as in torch.nn.utils.clip_grad_norm_.
    norm_K1 = torch.linalg.vector_norm(gradient_KP, dim=1, keepdim=True)
    gradient_KP = gradient_KP * (GRADIENT_NORM / (norm_K1 + 1e-6)).clamp(max=1)
    gradient_KP.addcmul_(rows.weights_KP, settings.l2_weight_K.unsqueeze(1))
    lr_K, momentum_K = one_cycle(done_K, settings.lr_K, settings.steps)
    rows.mean_KP.lerp_(gradient_KP, (1 - momentum_K).float().unsqueeze(1))
    rows.square_KP.mul_(SQUARES_DECAY).addcmul_(gradient_KP, gradient_KP, value=1 - SQUARES_DECAY)
    mean_bias_K, square_bias_K = (1 - decay ** (done_K + 1) for decay in (momentum_K, SQUARES_DECAY))
    scale_KP = rows.square_KP.sqrt().div_(square_bias_K.sqrt().float().unsqueeze(1)).add_(SMALL)
    rows.weights_KP.sub_((rows.mean_KP / scale_KP).mul_((lr_K / mean_bias_K).float().unsqueeze(1)))
