"""What a search varies: the numbers that shape one network and its training."""

from dataclasses import dataclass


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
    dropout: float = 0.46
    l2_weight: float = 0.0
    hidden: int = 40
    num_layers: int | None = None
    bidirectional: bool = True
    input_size: str = "DT"
    mask_ratio: float = 0.27
    mask_variant: str = "dot line"


TRAINING = frozenset({"lr", "l2_weight", "input_size", "mask_ratio", "mask_variant"})
"""The hyperparameters that every chain has, whatever its blocks."""
