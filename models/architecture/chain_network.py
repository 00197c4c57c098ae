"""The network built from a chain."""

from collections.abc import Hashable

from torch import Tensor, nn
from torch.nn import functional

from nlb_search.models.architecture.chain import Chain
from nlb_search.models.architecture.network import Network
from nlb_search.models.blocks import BLOCKS, Block
from nlb_search.models.errors import ChainError
from nlb_search.models.hyperparameters import Hyperparameters
from nlb_search.models.tensors import Sizes


class ChainNetwork(Network):
    """The blocks of a chain, one after the other. Their input is zero in the forward bins."""

    is_capturable = True
    runs_side_by_side = True

    def __init__(self, chain: Chain, sizes: Sizes, hyper: Hyperparameters, mean_counts: Tensor) -> None:
        """``mean_counts`` has N entries, in spikes per bin.

        Raises ChainError if the width of the last block is not the number of neurons.
        """
        super().__init__(chain.head, sizes, mean_counts)
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
        self._bidirectional = hyper.bidirectional

    @property
    def structure(self) -> tuple[Hashable, ...]:
        """The directions, and the widths of the blocks with ``depends_on_width``, which cannot be padded."""
        widths = [block.width for block in self.blocks if isinstance(block, Block) and block.depends_on_width]
        return (self._bidirectional, *widths)

    def forward(self, heldin_BWI: Tensor, bins_BT: Tensor) -> Tensor:
        x_BTC = functional.pad(heldin_BWI, (0, 0, 0, self.sizes.n_forward))
        for block in self.blocks:
            x_BTC = block(x_BTC, bins_BT)
        return x_BTC + self.offset_N
