"""GRU(n): gated recurrent layers over time, n of them unless num_layers is searched."""

from torch import Tensor, nn

from models.blocks.recurrent import Recurrent
from models.hyperparameters import Hyperparameters
from models.tensors import Sizes


class GRU(Recurrent):
    """Gated recurrent units (Cho et al. 2014, https://arxiv.org/abs/1406.1078)."""

    name = "GRU"

    def __init__(self, width_in: int, sizes: Sizes, hyper: Hyperparameters, layers: int) -> None:
        super().__init__(width_in, sizes, hyper, layers)
        self.layers = nn.GRU(
            width_in,
            hyper.hidden,
            num_layers=self.n_layers,
            dropout=hyper.dropout if self.n_layers > 1 else 0.0,
            bidirectional=hyper.bidirectional,
            batch_first=True,
        )

    def forward(self, x_BTC: Tensor, bins_BT: Tensor) -> Tensor:  # noqa: ARG002
        output_BTC: Tensor = self.layers(x_BTC)[0]
        return output_BTC
