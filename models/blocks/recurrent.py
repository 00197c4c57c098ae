"""What the blocks of recurrent layers share: how many layers there are, how wide, and the dropout between them."""

from abc import abstractmethod

from torch import nn

from nlb_search.models.blocks.block import Block
from nlb_search.models.dropout import Dropout
from nlb_search.models.hyperparameters import Hyperparameters
from nlb_search.models.tensors import Sizes


class Recurrent(Block):
    """Layers over time, in one or both directions of it; dropout acts between them.

    There are ``num_layers`` where that is searched, else the number in the chain. The width is ``hidden`` times the
    number of directions.
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
        """One layer that reads ``width_in`` channels, with ``hidden`` of its own in each direction."""
