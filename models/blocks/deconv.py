"""Deconv: a transposed convolution over time, to one channel per neuron."""

from torch import Tensor, nn

from nlb_search.models.blocks.bases.block import Block
from nlb_search.models.dropout import Dropout
from nlb_search.models.hyperparameters import Hyperparameters
from nlb_search.models.tensors import Sizes

KERNEL_BINS = 5


class Deconv(Block):
    """Dropout, then a transposed convolution over KERNEL_BINS bins. The number of bins does not change.

    The output has one channel per neuron, held-in, then held-out, so a chain with Deconv needs no FF.
    """

    name = "Deconv"
    takes_layers = False
    uses = frozenset({"dropout"})

    def __init__(self, width_in: int, sizes: Sizes, hyper: Hyperparameters, layers: int) -> None:
        super().__init__(width_in, sizes, hyper, layers)
        self.width = sizes.n_neurons
        self.dropout = Dropout(hyper.dropout)
        self.deconv = nn.ConvTranspose1d(width_in, sizes.n_neurons, KERNEL_BINS, padding=KERNEL_BINS // 2)

    def forward(self, x_BTC: Tensor, bins_BT: Tensor) -> Tensor:  # noqa: ARG002
        output_BCT: Tensor = self.deconv(self.dropout(x_BTC).transpose(1, 2))
        return output_BCT.transpose(1, 2)
