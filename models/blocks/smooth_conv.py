"""Conv(smooth): a convolution over time with one kernel per channel, initialized as a smoother."""

import torch
from torch import Tensor, nn

from nlb_search.models.blocks.bases.block import Block
from nlb_search.models.dropout import Dropout
from nlb_search.models.hyperparameters import Hyperparameters
from nlb_search.models.tensors import Sizes

KERNEL_BINS = 21
KERNEL_SD_BINS = 3.0
"""Standard deviation of the initial Gaussian kernel in bins: 15 ms in 5 ms bins; the kernel covers 105 ms."""


class SmoothConv(Block):
    """Dropout, then a depthwise convolution over time, zero-padded. The kernels are trained.

    The width and the number of bins do not change.
    """

    name = "Conv(smooth)"
    takes_layers = False
    uses = frozenset({"dropout"})

    def __init__(self, width_in: int, sizes: Sizes, hyper: Hyperparameters, layers: int) -> None:
        super().__init__(width_in, sizes, hyper, layers)
        self.width = width_in
        self.dropout = Dropout(hyper.dropout)
        self.conv = nn.Conv1d(width_in, width_in, KERNEL_BINS, padding=KERNEL_BINS // 2, groups=width_in)
        with torch.no_grad():
            self.conv.weight.copy_(gaussian().expand_as(self.conv.weight))
            self.conv.bias.zero_()  # type: ignore[union-attr]

    def forward(self, x_BTC: Tensor, bins_BT: Tensor) -> Tensor:  # noqa: ARG002
        output_BCT: Tensor = self.conv(self.dropout(x_BTC).transpose(1, 2))
        return output_BCT.transpose(1, 2)


def gaussian() -> Tensor:
    """The initial kernel: KERNEL_BINS weights that sum to one."""
    offsets = torch.arange(KERNEL_BINS) - KERNEL_BINS // 2
    weights = torch.exp(-0.5 * (offsets / KERNEL_SD_BINS) ** 2)
    return weights / weights.sum()
