"""What the blocks of recurrent layers share: how many layers there are, and how wide."""

from models.blocks.block import Block
from models.hyperparameters import Hyperparameters
from models.tensors import Sizes


class Recurrent(Block):
    """Layers over time, in one or both directions of it; dropout acts between them.

    ``n_layers`` is ``num_layers`` where that is searched, else the number in the chain. The width is ``hidden`` times
    the number of directions.
    """

    takes_layers = True
    uses = frozenset({"hidden", "num_layers", "bidirectional", "dropout"})

    def __init__(self, width_in: int, sizes: Sizes, hyper: Hyperparameters, layers: int) -> None:
        super().__init__(width_in, sizes, hyper, layers)
        self.n_layers = hyper.num_layers or layers
        self.n_directions = 2 if hyper.bidirectional else 1
        self.width = hyper.hidden * self.n_directions
