"""Adam with L2 on a one-cycle schedule, for many networks at once: a row of numbers for each.

The rules are those of ``torch.optim.Adam`` (Kingma & Ba 2015, https://arxiv.org/abs/1412.6980) and
``torch.optim.lr_scheduler.OneCycleLR`` (Smith & Topin 2017, https://arxiv.org/abs/1708.07120) as they stand there,
momentum included. Torch's own take one learning rate for all that they update; here each network has its own, and how
far it is, so that networks of different settings and ages can be trained side by side. Nothing waits for the device.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

GRADIENT_NORM = 1.0
"""Gradients longer than this are scaled down to it: recurrent layers at high learning rates need it."""

WARM_UP = 0.15
"""Share of the steps in which the learning rate rises to its highest; in the rest it falls to nearly nothing."""

FIRST_SHARE, LAST_SHARE = 1 / 5, 1 / 5e4
"""The learning rates of the first and the last step, as shares of the highest.

Torch's own 1 / 25 and a warm-up of 0.3 end at the same scores, and get there later: the first epochs learn little.
"""

HIGH_MOMENTUM, LOW_MOMENTUM = 0.95, 0.85
"""Momentum falls while the learning rate rises, and rises while it falls."""

SQUARES_DECAY = 0.999
SMALL = 1e-8


@dataclass(frozen=True)
class Settings:
    """What an update depends on, a number for each of the K networks; ``steps`` are those of the whole schedule."""

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
    lr_K, momentum_K = one_cycle(done_K, settings)
    rows.mean_KP.lerp_(gradient_KP, (1 - momentum_K).float().unsqueeze(1))
    rows.square_KP.mul_(SQUARES_DECAY).addcmul_(gradient_KP, gradient_KP, value=1 - SQUARES_DECAY)
    mean_bias_K, square_bias_K = (1 - decay ** (done_K + 1) for decay in (momentum_K, SQUARES_DECAY))
    scale_KP = rows.square_KP.sqrt().div_(square_bias_K.sqrt().float().unsqueeze(1)).add_(SMALL)
    rows.weights_KP.sub_((rows.mean_KP / scale_KP).mul_((lr_K / mean_bias_K).float().unsqueeze(1)))


def one_cycle(done_K: Tensor, settings: Settings) -> tuple[Tensor, Tensor]:
    """Learning rate and momentum of each network in the step that follows ``done_K`` others."""
    peak = WARM_UP * settings.steps - 1
    rising = done_K <= peak
    # Where there is no step before the peak, the first stands beyond it.
    share_K = torch.where(rising, done_K / (peak or 1), (done_K - peak) / (settings.steps - 1 - peak))
    turned_K = (1 + torch.cos(math.pi * share_K)) / 2
    # From 1 at the peak to 0 at either end.
    height_K = torch.where(rising, 1 - turned_K, turned_K)
    low_K = torch.where(rising, FIRST_SHARE, LAST_SHARE)
    lr_K = settings.lr_K * (low_K + (1 - low_K) * height_K)
    return lr_K, HIGH_MOMENTUM - (HIGH_MOMENTUM - LOW_MOMENTUM) * height_K
