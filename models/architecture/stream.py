"""Predicting one bin after another, as the spikes arrive."""

from typing import Any

import torch
from torch import Tensor

from nlb_search.models.architecture.chain_network import ChainNetwork
from nlb_search.models.architecture.network import Network
from nlb_search.models.blocks import Block
from nlb_search.models.errors import NotCausalError


class Stream:
    """The rates of a causal network, one bin at a time. They equal those of ``predict``, up to rounding.

    A stream starts at the first bin of a trial. In the forward bins, ``predict`` reads zeros.
    """

    def __init__(self, network: Network) -> None:
        """Raises NotCausalError if a block reads later bins, or if the network is not that of a chain."""
        if not isinstance(network, ChainNetwork):
            raise NotCausalError("a model of your own reads whole windows")
        self._network = network.eval()
        self._blocks = [block for block in network.blocks if isinstance(block, Block)]
        for block in self._blocks:
            if not block.is_causal:
                raise NotCausalError(f"{block.name} reads later bins")
        self._states: list[Any] = [None] * len(self._blocks)

    @torch.inference_mode()
    def step(self, heldin_BI: Tensor) -> Tensor:
        """The rates of the next bin, B x N in spikes per bin, from its held-in counts, B x I, float32."""
        x_BC = heldin_BI
        for index, block in enumerate(self._blocks):
            x_BC, self._states[index] = block.step(x_BC, self._states[index])
        return self._network.head.rates(x_BC + self._network.offset_N)
