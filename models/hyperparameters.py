"""Hyperparameters of a network and its training, and their valid values."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from nlb_search.models.masking.variant_names import INPUT_SIZES, SHAPES, shapes_of


@dataclass(frozen=True, kw_only=True)
class Hyperparameters:
    """A value for every hyperparameter.

    The defaults below are for hyperparameters that a study does not set. The default settings of a chain, with which
    its first trial is run, are in ``search.sampling.spaces.default_settings``.

    - ``lr``: learning rate after the warm-up.
    - ``dropout``: dropout rate of every block.
    - ``l2_weight``: twice the weight of the squared parameters in the loss.
    - ``weight_decay``: fraction of each weight, times the learning rate, that a step removes (AdamW).
    - ``hidden``: channels of a recurrent layer per direction.
    - ``num_layers``: number of recurrent layers, or None for the number in the chain.
    - ``bidirectional``: whether recurrent layers run in both directions.
    - ``input_size``: how much of a trial a step reads, one of ``variant_names.INPUT_SIZES``.
    - ``mask_ratio``: fraction of held-in entries hidden in training.
    - ``mask_variant``: shapes of the mask, in the format of ``variant_names.shapes_of``.
    - ``contrastive_weight``: weight of the contrastive loss (``training.contrastive``), for chains with attention.
    - ``batch_size``: maximum number of trials per training step, or None for that of the plan.
    - ``own``: hyperparameters of a user's model, by the names of its class; empty for a chain.
    """

    lr: float = 0.01
    dropout: float = 0.3
    l2_weight: float = 0.0
    weight_decay: float = 0.0
    hidden: int = 40
    num_layers: int | None = None
    bidirectional: bool = True
    input_size: str = "DT"
    mask_ratio: float = 0.27
    mask_variant: str = "dot"
    contrastive_weight: float = 0.0
    batch_size: int | None = None
    own: Mapping[str, bool | int | float | str] = field(default_factory=dict)


TRAINING = frozenset({"lr", "l2_weight", "weight_decay", "input_size", "mask_ratio", "mask_variant", "batch_size"})
"""The hyperparameters of the training of every network, independent of its architecture."""


@dataclass(frozen=True)
class Allowed:
    """The valid values of a hyperparameter: values of ``type`` for which ``holds`` is true, described by ``words``."""

    type: type[bool | int | float | str]
    words: str
    holds: Callable[[Any], bool]

    @property
    def is_number(self) -> bool:
        """Whether the values are numbers, so that they can be a range. Booleans are not numbers."""
        return self.type in (int, float)

    def read(self, value: object) -> Any:
        """Convert ``value`` to the type: an int is accepted for a float. Raises ValueError if it is not valid."""
        found = float(value) if self.type is float and type(value) is int and abs(value) < 2**53 else value
        if type(found) is not self.type or not self.holds(found):
            # Show 64.0 with its decimal point if an int is expected: as 64 it would look valid.
            is_float = self.type is int and type(value) is float
            raise ValueError(f"must be {self.words}, not {value if is_float else shown(value)}")
        return found


def shown(value: object) -> str:
    """Format a value as in a TOML file: quoted text, lower-case booleans, short numbers."""
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
    "l2_weight": Allowed(float, "0 or a number above 0", lambda number: 0 <= number < math.inf),
    "weight_decay": Allowed(float, "0 or a number above 0", lambda number: 0 <= number < math.inf),
    "hidden": Allowed(int, "an integer from 1 to 4096", lambda number: 1 <= number <= 4096),
    "num_layers": Allowed(int, "an integer from 1 to 99", lambda number: 1 <= number <= 99),
    "bidirectional": Allowed(bool, "true or false", lambda _: True),
    "input_size": Allowed(str, " or ".join(INPUT_SIZES), lambda text: text in INPUT_SIZES),
    "mask_ratio": Allowed(float, "a number above 0 and below 1", lambda number: 0 < number < 1),
    "mask_variant": Allowed(str, f"one or more of {', '.join(SHAPES)}, each once, separated by spaces", _is_variant),
    "contrastive_weight": Allowed(float, "0 or a number above 0", lambda number: 0 <= number < math.inf),
    "batch_size": Allowed(int, "an integer from 1 to 4096", lambda number: 1 <= number <= 4096),
}
"""All hyperparameters of chains and training that can be searched, in the order in which they are suggested."""
