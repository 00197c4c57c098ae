"""Heads: convert the output of the last block to rates, and define the training loss."""

from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional

MIN_MEAN = 1e-4
"""Smallest initial mean count, in spikes per bin, so that the logarithm is finite for silent neurons."""


class Head(Protocol):
    """The head of a chain. ``output`` is the output of the last block, trials x bins x neurons."""

    name: str
    max_spikes: int | None
    """The largest count per bin that the head supports, or None for any."""

    def loss(self, output: Tensor, counts: Tensor) -> Tensor:
        """Negative log-likelihood of each count in nats, with the shape of ``output`` (no reduction)."""

    def rates(self, output: Tensor) -> Tensor:
        """Expected spikes per bin."""

    def start(self, mean_counts: Tensor) -> Tensor:
        """The output that predicts these mean counts (spikes per bin), to initialize the last bias."""


class Exp:
    """The output is log-rates; the loss is Poisson."""

    name = "exp"
    max_spikes: int | None = None

    def loss(self, output: Tensor, counts: Tensor) -> Tensor:
        return torch.exp(output) - counts * output

    def rates(self, output: Tensor) -> Tensor:
        return torch.exp(output)

    def start(self, mean_counts: Tensor) -> Tensor:
        return torch.log(mean_counts.clamp(min=MIN_MEAN))


class Sigmoid:
    """The output is log-odds of a spike; the loss is Bernoulli. For bins with at most one spike.

    The probability of a spike is then the expected count, so rates are in spikes per bin, as for Exp.
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
