"""Base class of the recurrent blocks: number of layers, width, and dropout between layers."""

from abc import abstractmethod

from torch import Tensor, nn

from nlb_search.models.blocks.bases.block import Block
from nlb_search.models.dropout import Dropout
from nlb_search.models.hyperparameters import Hyperparameters
from nlb_search.models.tensors import Sizes

States = tuple[Tensor, ...]
"""The state of each layer after a bin."""


class Recurrent(Block):
    """Recurrent layers in one or both directions of time, with dropout between them.

    The number of layers is ``num_layers`` if that is searched, otherwise the number in the chain. The width is
    ``hidden`` times the number of directions.
    """

    takes_layers = True
    uses = frozenset({"hidden", "num_layers", "bidirectional", "dropout"})

    def __init__(self, width_in: int, sizes: Sizes, hyper: Hyperparameters, layers: int) -> None:
        super().__init__(width_in, sizes, hyper, layers)
        self.n_directions = 2 if hyper.bidirectional else 1
        self.width = hyper.hidden * self.n_directions
        widths_in = [width_in, *[self.width] * ((hyper.num_layers or layers) - 1)]
        self.layers = nn.ModuleList(self.layer(width, hyper.hidden) for width in widths_in)
        self.dropouts = nn.ModuleList(Dropout(hyper.dropout) for _ in widths_in[1:])

    @abstractmethod
    def layer(self, width_in: int, hidden: int) -> nn.Module:
        """Create a layer with ``width_in`` input channels and ``hidden`` channels per direction.

        Its method ``step`` is that of a block, for a layer in one direction.
        """

    @property
    def is_causal(self) -> bool:
        return self.n_directions == 1

    def step(self, x_BC: Tensor, state: States | None) -> tuple[Tensor, States]:
        before = state or (None,) * len(self.layers)
        after = []
        for number, (layer, of_layer) in enumerate(zip(self.layers, before, strict=True)):
            output_BC, of_next_bin = layer.step(x_BC, of_layer)  # type: ignore[operator]
            x_BC = self.joined(x_BC, output_BC) if number else output_BC
            after.append(of_next_bin)
        return x_BC, tuple(after)

    def joined(self, x_BC: Tensor, output_BC: Tensor) -> Tensor:  # noqa: ARG002
        """What ``step`` passes on from a layer after the first, given the layer's input and output."""
        return output_BC
