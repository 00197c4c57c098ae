"""What a search varies: the numbers that shape one network and its training."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from nlb_search.models.masking.variants import INPUT_SIZES, SHAPES, shapes_of


@dataclass(frozen=True, kw_only=True)
class Hyperparameters:
    """One setting of everything that can be searched.

    ``lr`` is the highest learning rate of the one-cycle schedule; ``l2_weight`` Adam's weight decay, twice the weight
    of the squared parameters in the loss; ``hidden`` the channels of a recurrent layer in one direction;
    ``num_layers`` the recurrent layers, or None for the number that stands in the chain; ``input_size`` how much of a
    trial a step reads, a name of ``windows.INPUT_SIZES``; ``mask_ratio`` the share of held-in entries hidden in
    training, and ``mask_variant`` the shapes in which they are, a name that ``masks.shapes_of`` reads.
    """

    lr: float = 0.01
    dropout: float = 0.3
    l2_weight: float = 0.0
    hidden: int = 40
    num_layers: int | None = None
    bidirectional: bool = True
    input_size: str = "DT"
    mask_ratio: float = 0.27
    mask_variant: str = "dot"


TRAINING = frozenset({"lr", "l2_weight", "input_size", "mask_ratio", "mask_variant"})
"""The hyperparameters that every chain has, whatever its blocks."""


@dataclass(frozen=True)
class Allowed:
    """What one hyperparameter may be when it is searched: values of one type for which ``holds``, said in words."""

    type: type[bool | int | float | str]
    words: str
    holds: Callable[[Any], bool]

    @property
    def is_number(self) -> bool:
        """Whether its values can be a range; true and false are no numbers."""
        return self.type in (int, float)

    def read(self, value: object) -> Any:
        """The value in its type; a whole number may stand for a real one. Raises ValueError for any other."""
        found = float(value) if self.type is float and type(value) is int and abs(value) < 2**53 else value
        if type(found) is not self.type or not self.holds(found):
            # 64.0 is shown with its point where a whole number is asked for: without, it would look like one.
            is_float = self.type is int and type(value) is float
            raise ValueError(f"must be {self.words}, not {value if is_float else shown(value)}")
        return found


def shown(value: object) -> str:
    """A value as a person writes it in a file: text in quotes, true and false in small letters, numbers short."""
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:.12g}".replace("e-0", "e-") if isinstance(value, float) else repr(value)


def _is_variant(text: str) -> bool:
    try:
        return bool(shapes_of(text))
    except ValueError:
        return False


ALLOWED: dict[str, Allowed] = {
    "lr": Allowed(float, "a number above 0", lambda number: 0 < number < math.inf),
    "dropout": Allowed(float, "a number from 0 to below 1", lambda number: 0 <= number < 1),
    "l2_weight": Allowed(float, "0 or a number above", lambda number: 0 <= number < math.inf),
    "hidden": Allowed(int, "a whole number from 1 to 4096", lambda number: 1 <= number <= 4096),
    "num_layers": Allowed(int, "a whole number from 1 to 99", lambda number: 1 <= number <= 99),
    "bidirectional": Allowed(bool, "true or false", lambda _: True),
    "input_size": Allowed(str, " or ".join(INPUT_SIZES), lambda text: text in INPUT_SIZES),
    "mask_ratio": Allowed(float, "a number above 0 and below 1", lambda number: 0 < number < 1),
    "mask_variant": Allowed(str, f"one or more of {', '.join(SHAPES)}, each once, with blanks between", _is_variant),
}
"""Every hyperparameter that can be searched, in the order in which a trial draws them."""
