"""Counter-based random numbers: they depend only on a key, and are computed on the key's device.

The numbers of a generator depend on all earlier calls. Here each number is a hash of a key and its position in the
tensor (Salmon et al. 2011, https://doi.org/10.1145/2063384.2063405). Networks trained side by side therefore draw the
same numbers as alone, a resumed training continues with the same numbers, a CPU and a GPU draw the same numbers, and
nothing synchronizes with the device. All operations work with ``torch.vmap`` over keys.

Keys and hashes are int32 tensors that wrap around.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor


def mix(values: Tensor) -> Tensor:
    """Hash every number to another one, bijectively.

    Xorshifts and multiplications as in the finalizer of MurmurHash3, with the low-bias constants of C. Wellons
    (https://nullprogram.com/blog/2018/07/31/).
    """
    return _mixed(values.clone())


def _mixed(values: Tensor) -> Tensor:
    """``mix`` in place: on a CPU, allocating memory for every operation would take most of the time."""
    values ^= (values >> 16).bitwise_and_(0xFFFF)
    values *= 0x7FEB352D
    values ^= (values >> 15).bitwise_and_(0x1FFFF)
    values *= 0x846CA68B - 2**32
    values ^= (values >> 16).bitwise_and_(0xFFFF)
    return values


def key_of(seed: int, device: torch.device) -> Tensor:
    """The key for a seed below 2**32, a scalar tensor."""
    return torch.tensor(seed - 2**32 if seed >= 2**31 else seed, dtype=torch.int32, device=device)


def fold_in(key: Tensor, number: int | Tensor) -> Tensor:
    """Derive a new key for each number, e.g. for a training step or one of its draws; both are broadcast."""
    return _mixed(mix(key) + number)


def split_key(key: Tensor, n: int) -> tuple[Tensor, ...]:
    """Derive a key for each number below ``n`` from a scalar key: those of ``fold_in``, in the operations of one."""
    return fold_in(key, torch.arange(n, dtype=torch.int32, device=key.device)).unbind()


def draw(key: Tensor, shape: tuple[int, ...], steady: int = -1) -> Tensor:
    """Uniform int32 numbers of shape ``shape``.

    The number at a position does not depend on the length of the axis ``steady``: a layer padded with more channels
    draws the same numbers for the first ones as without padding.
    """
    others = [1 if axis == steady % len(shape) else length for axis, length in enumerate(shape)]
    along = [length if axis == steady % len(shape) else 1 for axis, length in enumerate(shape)]
    # Both parts are hashed at once: for tensors of this size, the number of operations determines the time.
    parts = [torch.arange(math.prod(part), dtype=torch.int32, device=key.device) for part in (others, along)]
    _, *part_keys = split_key(key, 3)
    hashed = _mixed(torch.cat([part_key ^ part for part_key, part in zip(part_keys, parts, strict=True)]))
    first, second = hashed.split([len(part) for part in parts])
    return _mixed(first.view(others) ^ second.view(along))


def bernoulli(key: Tensor, probability: Tensor, shape: tuple[int, ...], steady: int = -1) -> Tensor:
    """Booleans of shape ``shape``, each true with ``probability``, which is broadcast. ``steady`` as in ``draw``."""
    return draw(key, shape, steady) < (probability.double() * 2**32 - 2**31).clamp(max=2**31 - 1).to(torch.int32)


def uniform(key: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Uniform float32 numbers in [0, 1)."""
    return (draw(key, shape) >> 8).bitwise_and_(0xFFFFFF).float().mul_(2**-24)


@contextmanager
def seeded(seed: int, device: torch.device) -> Iterator[None]:
    """Seed torch's generators of the CPU and ``device``, and restore their states afterwards."""
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        yield
