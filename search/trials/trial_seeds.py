"""The random seeds of a trial's networks, all below 2**32."""

SEED_KEY = "seed"
"""User attribute of a trial that was copied from another study, which determined its seed."""

_STRIDE = 2_654_435_761
"""Difference between the seeds of a trial's networks: those of other trials have close numbers."""


def repeated_seed(first: int, repeat: int) -> int:
    """Seed of a network of a trial whose first network has the seed ``first``. ``repeat`` counts from 0."""
    return (first + repeat * _STRIDE) % 2**32
