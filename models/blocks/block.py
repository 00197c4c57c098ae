"""What every block of a chain is."""

from abc import ABC, abstractmethod
from typing import ClassVar

from torch import Tensor, nn

from nlb_search.models.hyperparameters import Hyperparameters
from nlb_search.models.tensors import Sizes


class Block(nn.Module, ABC):
    """One link of a chain: B x T x channels in, B x T x ``width`` channels out.

    A subclass is one block of the grammar: ``name`` is how it is written, ``takes_layers`` whether a number of layers
    may stand in its parentheses, and ``uses`` the hyperparameters that change it, so that a search asks for no others.

    Blocks of many networks are run at once by ``torch.vmap``: plain operations on tensors, and of the layers that draw
    random numbers only ``models.dropout.Dropout``. Networks with fewer hidden channels than their neighbours get more
    at the end, with weights of zero. Where that would change the other channels, ``depends_on_width`` says so.
    """

    name: ClassVar[str]
    takes_layers: ClassVar[bool]
    uses: ClassVar[frozenset[str]]
    depends_on_width: ClassVar[bool] = False

    width: int

    @abstractmethod
    def __init__(self, width_in: int, sizes: Sizes, hyper: Hyperparameters, layers: int) -> None:
        """Build for ``width_in`` channels; ``layers`` is the number in the parentheses, 1 where none is written."""
        super().__init__()

    @abstractmethod
    def forward(self, x_BTC: Tensor, bins_BT: Tensor) -> Tensor:
        """``bins_BT`` tells which bin of window + forward each one is, for training may read a crop of them."""
