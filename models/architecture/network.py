"""The PyTorch module built from a chain."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from nlb_search.models.architecture.chain import Chain
from nlb_search.models.architecture.heads import Head
from nlb_search.models.blocks import BLOCKS, Block
from nlb_search.models.errors import ChainError
from nlb_search.models.hyperparameters import Hyperparameters
from nlb_search.models.masking.crops import whole_bins
from nlb_search.models.tensors import Sizes


class Network(nn.Module):
    """Maps the held-in spikes of a window to an output for every neuron, in window and forward bins.

    The input of the blocks is zero in the forward bins. A learned offset per neuron is added to the output. Its initial
    value makes the head predict the mean counts, so that training starts at the score of the null model.
    """

    def __init__(self, chain: Chain, sizes: Sizes, hyper: Hyperparameters, mean_counts: Tensor) -> None:
        """``mean_counts`` has N entries, in spikes per bin.

        Raises ChainError if the width of the last block is not the number of neurons.
        """
        super().__init__()
        self.head: Head = chain.head
        self.sizes = sizes
        self.blocks = nn.ModuleList()
        width = sizes.n_heldin
        for link in chain.links:
            block = BLOCKS[link.name](width, sizes, hyper, link.layers or 1)
            self.blocks.append(block)
            width = block.width
        if width != sizes.n_neurons:
            raise ChainError(
                f"the chain '{chain}' ends with {width} channels, but the recording has {sizes.n_neurons} neurons: "
                f"insert FF before {chain.head.name}"
            )
        self.offset_N = nn.Parameter(chain.head.start(mean_counts))

    @property
    def n_parameters(self) -> int:
        return sum(parameter.numel() for parameter in self.parameters())

    @property
    def dependent_widths(self) -> tuple[int, ...]:
        """The widths of the blocks with ``depends_on_width``, which cannot be padded."""
        return tuple(block.width for block in self.blocks if isinstance(block, Block) and block.depends_on_width)

    def forward(self, heldin_BWI: Tensor, bins_BT: Tensor) -> Tensor:
        """The head's input, B x T x N, for held-in counts B x W x I.

        ``bins_BT`` holds the indices of the bins that are read and predicted, from ``crops.draw_bins``.
        """
        x_BTC = functional.pad(heldin_BWI, (0, 0, 0, self.sizes.n_forward))
        for block in self.blocks:
            x_BTC = block(x_BTC, bins_BT)
        return x_BTC + self.offset_N


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
