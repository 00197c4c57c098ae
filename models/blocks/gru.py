"""GRU(n): gated recurrent layers over time, n of them unless num_layers is searched."""

from torch import Tensor, nn

from models.blocks.block import Block
from models.hyperparameters import Hyperparameters
from models.tensors import Sizes


class GRU(Block):
    """Recurrent layers (Cho et al. 2014, https://arxiv.org/abs/1406.1078), in one or both directions of time.

    The width is ``hidden`` times the number of directions; dropout acts between layers.
    """

    name = "GRU"
    takes_layers = True
    uses = frozenset({"hidden", "num_layers", "bidirectional", "dropout"})

    def __init__(self, width_in: int, sizes: Sizes, hyper: Hyperparameters, layers: int) -> None:
        super().__init__(width_in, sizes, hyper, layers)
        layers = hyper.num_layers or layers
        self.width = hyper.hidden * (2 if hyper.bidirectional else 1)
        self.layers = nn.GRU(
            width_in,
            hyper.hidden,
            num_layers=layers,
            dropout=hyper.dropout if layers > 1 else 0.0,
            bidirectional=hyper.bidirectional,
            batch_first=True,
        )

    def forward(self, x_BTC: Tensor, bins_BT: Tensor) -> Tensor:  # noqa: ARG002
        output_BTC: Tensor = self.layers(x_BTC)[0]
        return output_BTC
