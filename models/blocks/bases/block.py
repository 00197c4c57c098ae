"""The base class of all blocks."""

from abc import ABC, abstractmethod
from typing import Any, ClassVar

from torch import Tensor, nn

from nlb_search.models.errors import NotCausalError
from nlb_search.models.hyperparameters import Hyperparameters
from nlb_search.models.tensors import Sizes


class Block(nn.Module, ABC):
    """Base class of the blocks of a chain: reads B x T x channels, returns B x T x ``width``.

    Class attributes of a subclass:

    - ``name``: how the block is written in a chain.
    - ``takes_layers``: whether a number of layers may follow in parentheses.
    - ``uses``: the hyperparameters that affect the block; a search varies only these.
    - ``depends_on_width``: whether padding with zero channels would change the other channels, as in a LayerNorm.

    ``torch.vmap`` runs the blocks of many networks at once. So ``forward`` must consist of plain tensor operations and
    use random numbers only through ``models.dropout.Dropout``. A network with fewer hidden channels than the others is
    padded with channels of zero weights.
    """

    name: ClassVar[str]
    takes_layers: ClassVar[bool]
    uses: ClassVar[frozenset[str]]
    depends_on_width: ClassVar[bool] = False

    width: int

    @property
    def is_causal(self) -> bool:
        """Whether the output of a bin depends on no later bin. A causal block also has ``step``."""
        return False

    @abstractmethod
    def __init__(self, width_in: int, sizes: Sizes, hyper: Hyperparameters, layers: int) -> None:
        """``width_in`` is the number of input channels, ``layers`` the number in parentheses (1 if there is none)."""
        super().__init__()

    @abstractmethod
    def forward(self, x_BTC: Tensor, bins_BT: Tensor) -> Tensor:
        """Return B x T x ``width``. ``bins_BT`` holds the index of each bin in the trial: training may read crops."""

    def step(self, x_BC: Tensor, state: Any) -> tuple[Tensor, Any]:  # noqa: ARG002 - causal blocks override it
        """The output of one bin, B x ``width``, and the state for the next one. ``state`` is None in the first bin.

        Equals ``forward`` without dropout. Raises NotCausalError if the block is not causal.
        """
        raise NotCausalError(f"{self.name} reads later bins")
