"""Random numbers that follow from a key alone, drawn on whatever device the key is on.

A generator hands its numbers out in turn, so what one network draws depends on who drew before it. Here each number is
a hash of a key and of its own place (as in Salmon et al. 2011, https://doi.org/10.1145/2063384.2063405): networks that
are trained side by side draw what they would draw alone, a training that is restored continues with the same draws, a
CPU and a GPU draw alike, and nothing waits. Everything is made of operations that ``torch.vmap`` can run for many keys
at once.

Keys and hashes are int32 tensors that wrap around.
"""

import math

import torch
from torch import Tensor


def mix(values: Tensor) -> Tensor:
    """A scrambled number for each number, one to one; from small differences come unrelated numbers.

    Xorshifts and multiplications as in the finalizer of MurmurHash3, with the constants that C. Wellons found to leave
    the least bias (https://nullprogram.com/blog/2018/07/31/).
    """
    return _mixed(values.clone())


def _mixed(values: Tensor) -> Tensor:
    """As ``mix``, in place: on a CPU, fresh memory for every operation takes most of the time."""
    values ^= (values >> 16).bitwise_and_(0xFFFF)
    values *= 0x7FEB352D
    values ^= (values >> 15).bitwise_and_(0x1FFFF)
    values *= 0x846CA68B - 2**32
    values ^= (values >> 16).bitwise_and_(0xFFFF)
    return values


def key_of(seed: int, device: torch.device) -> Tensor:
    """The key that a seed below 2**32 stands for, a scalar tensor."""
    return torch.tensor(seed - 2**32 if seed >= 2**31 else seed, dtype=torch.int32, device=device)


def fold(key: Tensor, number: int | Tensor) -> Tensor:
    """Another key for every number, of the key's shape: for the steps of a training, or for the draws in a step."""
    return mix(mix(key) + number)


def draw(key: Tensor, shape: tuple[int, ...], steady: int = -1) -> Tensor:
    """Numbers spread evenly over int32, one for each place of ``shape``.

    A place draws the same whatever the length of the axis ``steady``, so a layer that is padded with more channels
    draws for the first ones what it would draw without them.
    """
    others = [1 if axis == steady % len(shape) else length for axis, length in enumerate(shape)]
    along = [length if axis == steady % len(shape) else 1 for axis, length in enumerate(shape)]
    return _mixed(_column(fold(key, 1), others) ^ _column(fold(key, 2), along))


def _column(key: Tensor, shape: list[int]) -> Tensor:
    return mix(key ^ torch.arange(math.prod(shape), dtype=torch.int32, device=key.device)).view(shape)


def happens(key: Tensor, probability: Tensor, shape: tuple[int, ...], steady: int = -1) -> Tensor:
    """True with ``probability``, a scalar tensor from 0 to 1, at each entry of ``shape``; ``steady`` as in ``draw``."""
    return draw(key, shape, steady) < (probability.double() * 2**32 - 2**31).clamp(max=2**31 - 1).to(torch.int32)


def uniform(key: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Numbers spread evenly from 0 to below 1."""
    return (draw(key, shape) >> 8).bitwise_and_(0xFFFFFF).float().mul_(2**-24)
