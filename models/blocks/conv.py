"""Conv: a convolution over time."""

from torch import Tensor, nn

from nlb_search.models.blocks.bases.block import Block
from nlb_search.models.dropout import Dropout
from nlb_search.models.hyperparameters import Hyperparameters
from nlb_search.models.tensors import Sizes

KERNEL_BINS = 5


class Conv(Block):
    """Dropout, then a zero-padded convolution over KERNEL_BINS bins. The width and the number of bins do not change."""

    name = "Conv"
    takes_layers = False
    uses = frozenset({"dropout"})

    def __init__(self, width_in: int, sizes: Sizes, hyper: Hyperparameters, layers: int) -> None:
        super().__init__(width_in, sizes, hyper, layers)
        self.width = width_in
        self.dropout = Dropout(hyper.dropout)
        self.conv = nn.Conv1d(width_in, width_in, KERNEL_BINS, padding=KERNEL_BINS // 2)

    def forward(self, x_BTC: Tensor, bins_BT: Tensor) -> Tensor:  # noqa: ARG002
        output_BCT: Tensor = self.conv(self.dropout(x_BTC).transpose(1, 2))
        return output_BCT.transpose(1, 2)
