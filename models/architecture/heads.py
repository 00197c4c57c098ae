"""How a chain ends: what the network's last numbers mean, and which loss they are trained with."""

from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional

MIN_MEAN = 1e-4
"""The mean count at which a silent neuron starts, in spikes per bin, so that its logarithm is finite."""


class Head(Protocol):
    """The end of a chain. ``output`` is trials x bins x neurons, as the last block leaves it."""

    name: str
    max_spikes: int | None
    """The largest count per bin that the head can describe, or None for any."""

    def loss(self, output: Tensor, counts: Tensor) -> Tensor:
        """Negative log-likelihood of each count, in nats, of the shape of ``output``; not reduced."""

    def rates(self, output: Tensor) -> Tensor:
        """Expected spikes per bin."""

    def start(self, mean_counts: Tensor) -> Tensor:
        """The output that predicts these mean counts (spikes per bin): where the last bias begins."""


class Exp:
    """Log-rates, with a Poisson loss."""

    name = "exp"
    max_spikes: int | None = None

    def loss(self, output: Tensor, counts: Tensor) -> Tensor:
        return torch.exp(output) - counts * output

    def rates(self, output: Tensor) -> Tensor:
        return torch.exp(output)

    def start(self, mean_counts: Tensor) -> Tensor:
        return torch.log(mean_counts.clamp(min=MIN_MEAN))


class Sigmoid:
    """Log-odds of a spike, with a Bernoulli loss: for bins that hold at most one spike.

    There the chance of a spike is the expected count, so the rates are in spikes per bin like those of Exp.
    """

    name = "Sigmoid"
    max_spikes: int | None = 1

    def loss(self, output: Tensor, counts: Tensor) -> Tensor:
        return functional.binary_cross_entropy_with_logits(output, counts, reduction="none")

    def rates(self, output: Tensor) -> Tensor:
        return torch.sigmoid(output)

    def start(self, mean_counts: Tensor) -> Tensor:
        return torch.logit(mean_counts.clamp(MIN_MEAN, 1 - MIN_MEAN))


HEADS: dict[str, Head] = {head.name: head for head in (Exp(), Sigmoid())}
