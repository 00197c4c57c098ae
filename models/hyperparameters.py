"""What a search varies: the numbers that shape one network and its training."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Hyperparameters:
    """One setting of everything that can be searched.

    ``lr`` is the highest learning rate of the one-cycle schedule; ``l2_weight`` Adam's weight decay, twice the weight
    of the squared parameters in the loss; ``hidden`` the channels of a recurrent layer in one direction;
    ``num_layers`` the recurrent layers, or None for the number that stands in the chain; ``mask_ratio`` the share of
    held-in entries hidden in training.
    """

    lr: float = 0.01
    dropout: float = 0.46
    l2_weight: float = 0.0
    hidden: int = 40
    num_layers: int | None = None
    bidirectional: bool = True
    mask_ratio: float = 0.27


TRAINING = frozenset({"lr", "l2_weight", "mask_ratio"})
"""The hyperparameters that every chain has, whatever its blocks."""
