"""The PyTorch module of an architecture, and prediction with it."""

from abc import ABC, abstractmethod
from collections.abc import Hashable, Mapping
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.func import functional_call

from nlb_search.models.architecture.heads import Head
from nlb_search.models.masking.crops import whole_bins
from nlb_search.models.tensors import Sizes


class Network(nn.Module, ABC):
    """Maps the held-in spikes of a window to an output for every neuron, in window and forward bins.

    A learned offset per neuron is added to the output. Its initial value makes the head predict the mean counts, so
    that training starts at the score of the null model.
    """

    is_capturable: ClassVar[bool]
    """Whether a CUDA graph can capture its training step."""

    def __init__(self, head: Head, sizes: Sizes, mean_counts: Tensor) -> None:
        """``mean_counts`` has N entries, in spikes per bin."""
        super().__init__()
        self.head = head
        self.sizes = sizes
        self.offset_N = nn.Parameter(head.start(mean_counts))

    @property
    def n_parameters(self) -> int:
        return sum(parameter.numel() for parameter in self.parameters())

    @property
    @abstractmethod
    def structure(self) -> tuple[Hashable, ...]:
        """What networks of one architecture, with the same names of parameters, must share to run side by side."""

    @property
    @abstractmethod
    def runs_side_by_side(self) -> bool:
        """Whether ``torch.vmap`` can run many networks at once."""

    @abstractmethod
    def forward(self, heldin_BWI: Tensor, bins_BT: Tensor) -> Tensor:
        """The head's input, B x T x N, for held-in counts B x W x I.

        ``bins_BT`` holds the indices of the bins that are read and predicted, from ``crops.draw_bins``.
        """

    def forward_in_training(self, heldin_BWI: Tensor, bins_BT: Tensor) -> tuple[Tensor, Tensor]:
        """The head's input, and a term that is added to the loss in training, a scalar."""
        return self(heldin_BWI, bins_BT), heldin_BWI.new_zeros(())


class _InTraining(nn.Module):
    """``forward_in_training`` as the forward of a module, as ``functional_call`` needs it."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def forward(self, heldin_BWI: Tensor, bins_BT: Tensor) -> tuple[Tensor, Tensor]:
        return self.network.forward_in_training(heldin_BWI, bins_BT)


def call_in_training(
    network: Network, tensors: Mapping[str, Tensor], heldin_BWI: Tensor, bins_BT: Tensor
) -> tuple[Tensor, Tensor]:
    """``network.forward_in_training`` with other parameters and buffers than its own, by name."""
    named = {f"network.{name}": tensor for name, tensor in tensors.items()}
    called: tuple[Tensor, Tensor] = functional_call(_InTraining(network), named, (heldin_BWI, bins_BT))
    return called


def trials_at_once(device: torch.device) -> int:
    """Number of trials to predict at once: enough to use the device well, within its memory."""
    return 4096 if device.type == "cuda" else 64


@torch.no_grad()
def predict(network: Network, heldin_BWI: Tensor) -> Tensor:
    """Predict firing rates, B x T x N in spikes per bin, from held-in counts B x W x I of any dtype.

    Masks and dropout are off.
    """
    network.eval()
    rates = []
    for batch_BWI in torch.split(heldin_BWI, trials_at_once(heldin_BWI.device)):
        bins_BT = whole_bins(len(batch_BWI), network.sizes, batch_BWI.device)
        rates.append(network.head.rates(network(batch_BWI.float(), bins_BT)))
    return torch.cat(rates)
