"""Base class of the recurrent blocks: number of layers, width, and dropout between layers."""

from abc import abstractmethod

from torch import nn

from nlb_search.models.blocks.block import Block
from nlb_search.models.dropout import Dropout
from nlb_search.models.hyperparameters import Hyperparameters
from nlb_search.models.tensors import Sizes


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
        """Create a layer with ``width_in`` input channels and ``hidden`` channels per direction."""
