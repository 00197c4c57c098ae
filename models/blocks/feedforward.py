"""FF: one linear map from the channels of a bin to all neurons."""

from torch import Tensor, nn

from nlb_search.models.blocks.bases.block import Block
from nlb_search.models.dropout import Dropout
from nlb_search.models.hyperparameters import Hyperparameters
from nlb_search.models.tensors import Sizes


class FF(Block):
    """Dropout, then a linear map to one channel per neuron: held-in, then held-out."""

    name = "FF"
    takes_layers = False
    uses = frozenset({"dropout"})

    def __init__(self, width_in: int, sizes: Sizes, hyper: Hyperparameters, layers: int) -> None:
        super().__init__(width_in, sizes, hyper, layers)
        self.width = sizes.n_neurons
        self.dropout = Dropout(hyper.dropout)
        self.linear = nn.Linear(width_in, sizes.n_neurons)

    def forward(self, x_BTC: Tensor, bins_BT: Tensor) -> Tensor:  # noqa: ARG002
        output_BTN: Tensor = self.linear(self.dropout(x_BTC))
        return output_BTN

    @property
    def is_causal(self) -> bool:
        return True

    def step(self, x_BC: Tensor, state: None) -> tuple[Tensor, None]:  # noqa: ARG002
        output_BN: Tensor = self.linear(x_BC)
        return output_BN, None
