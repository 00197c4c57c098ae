"""Random draws from keys have the requested distribution and are independent."""

import math
from itertools import product

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.func import vmap

from nlb_search.models.random_draws import bernoulli, draw, fold_in, key_of, mix, split_key, uniform

CPU = torch.device("cpu")
SEEDS = st.integers(0, 2**32 - 1)
SHAPES = (
    st.lists(st.integers(1, 30), min_size=1, max_size=4).map(tuple).filter(lambda shape: math.prod(shape) <= 50_000)
)


def _worst_correlation(rows: Tensor) -> float:
    """The largest correlation between two rows, in standard deviations under independence."""
    correlations = torch.corrcoef(rows.double()).fill_diagonal_(0)
    return correlations.abs().max().item() * math.sqrt(rows.shape[1])


@settings(max_examples=80)
@given(seed=SEEDS, probability=st.floats(0, 1), shape=SHAPES, data=st.data())
def test_bernoulli_frequency(seed: int, probability: float, shape: tuple[int, ...], data: st.DataObject) -> None:
    steady = data.draw(st.integers(-len(shape), len(shape) - 1))
    share = bernoulli(key_of(seed, CPU), torch.tensor(probability), shape, steady).float().mean().item()
    # Hoeffding's bound, with a probability of 1e-9 per example.
    assert abs(share - probability) <= math.sqrt(math.log(2e9) / (2 * math.prod(shape)))


def test_probabilities_zero_and_one() -> None:
    for seed in range(5):
        assert bernoulli(key_of(seed, CPU), torch.tensor(1.0), (300, 300)).all()
        assert not bernoulli(key_of(seed, CPU), torch.tensor(0.0), (300, 300)).any()


@settings(max_examples=40)
@given(seed=SEEDS)
def test_uniform_distribution(seed: int) -> None:
    n = 4000
    numbers = uniform(key_of(seed, CPU), (40, 100)).flatten().sort().values
    assert 0 <= numbers[0] <= numbers[-1] < 1
    # The bound of Dvoretzky, Kiefer and Wolfowitz, with a probability of 1e-9 per example.
    assert (numbers - torch.arange(n) / n).abs().max() < 1 / n + math.sqrt(math.log(2e9) / (2 * n))


@pytest.mark.parametrize("axis", range(3))
@pytest.mark.parametrize("steady", range(3))
def test_positions_are_independent(axis: int, steady: int) -> None:
    """60 slices along an axis, including adjacent ones, are pairwise uncorrelated."""
    shape = [25, 25, 25]
    shape[axis] = 60
    drawn = uniform(key_of(3, CPU), tuple(shape)) if steady == 2 else draw(key_of(3, CPU), tuple(shape), steady)
    assert _worst_correlation(drawn.movedim(axis, 0).flatten(1)) < 6


def test_pairs_of_positions_are_uniform() -> None:
    """Rows and columns share what they are hashed from; corners of a rectangle must not tell of its fourth one."""
    happen = bernoulli(key_of(8, CPU), torch.tensor(0.5), (300, 300)).long() * 2 - 1
    corners = happen[::2, ::2] * happen[1::2, ::2] * happen[::2, 1::2] * happen[1::2, 1::2]
    assert abs(corners.double().mean().item()) < 6 / 150


def test_positions_of_a_square_are_distinct() -> None:
    """In 90 000 draws of 32 bits about one pair meets by chance; a place and the one across the diagonal never may."""
    assert len(draw(key_of(8, CPU), (300, 300)).unique()) > 300 * 300 - 10


@pytest.mark.parametrize("how", ["seeds", "numbers folded in", "numbers folded in twice"])
def test_keys_are_independent(how: str) -> None:
    keys = {
        "seeds": [key_of(seed, CPU) for seed in range(100)],
        "numbers folded in": [fold_in(key_of(0, CPU), number) for number in range(100)],
        "numbers folded in twice": [fold_in(fold_in(key_of(0, CPU), a), b) for a in range(10) for b in range(10)],
    }
    assert _worst_correlation(torch.stack([draw(key, (20, 30)).flatten() for key in keys[how]])) < 6


def test_folded_keys_are_distinct() -> None:
    keys = fold_in(key_of(5, CPU).expand(100_000), torch.arange(100_000, dtype=torch.int32))
    assert len(keys.unique()) == 100_000
    assert fold_in(key_of(5, CPU), 77) == keys[77]


@given(seed=SEEDS, shape=SHAPES, more=st.integers(1, 9), data=st.data())
def test_draws_do_not_depend_on_length_of_steady_axis(
    seed: int, shape: tuple[int, ...], more: int, data: st.DataObject
) -> None:
    steady = data.draw(st.integers(-len(shape), len(shape) - 1))
    longer = list(shape)
    longer[steady] += more
    drawn = draw(key_of(seed, CPU), tuple(longer), steady).narrow(steady % len(shape), 0, shape[steady])
    assert torch.equal(drawn, draw(key_of(seed, CPU), shape, steady))


@given(st.integers(-(2**31), 2**31 - 40_000))
def test_mix_is_one_to_one(first: int) -> None:
    numbers = torch.arange(first, first + 40_000).to(torch.int32)
    assert len(mix(numbers).unique()) == len(numbers)
    assert numbers[0] == first, "what is mixed stays as it was"


def test_mix_avalanche() -> None:
    numbers = torch.randint(-(2**31), 2**31, (4096,), generator=torch.Generator().manual_seed(0)).to(torch.int32)
    bits = torch.arange(32, dtype=torch.int32)
    flips = torch.bitwise_left_shift(torch.tensor(1, dtype=torch.int32), bits)
    changed = mix(numbers ^ flips.unsqueeze(1)) ^ mix(numbers)
    share = ((changed >> bits.reshape(-1, 1, 1)) & 1).double().mean(dim=2)
    assert (share - 0.5).abs().max() < 0.05


def test_seeds_up_to_32_bits_give_distinct_keys() -> None:
    keys = {key_of(seed, CPU).item() for seed in (0, 1, 2**31 - 1, 2**31, 2**32 - 1)}
    assert len(keys) == 5


def test_stacked_draws_equal_single_draws() -> None:
    keys = torch.stack([key_of(seed, CPU) for seed in range(5)])
    probabilities = torch.linspace(0.1, 0.9, 5)
    together = vmap(lambda key, probability: bernoulli(fold_in(key, 2), probability, (7, 9, 4), steady=1))(
        keys, probabilities
    )
    alone = [
        bernoulli(fold_in(key, 2), probability, (7, 9, 4), steady=1)
        for key, probability in zip(keys, probabilities, strict=True)
    ]
    assert torch.equal(together, torch.stack(alone))
    together = vmap(lambda key: uniform(key, (7, 9)))(keys)
    assert torch.equal(together, torch.stack([uniform(key, (7, 9)) for key in keys]))


def test_split_keys_are_folded_keys() -> None:
    key = key_of(11, CPU)
    assert torch.equal(torch.stack(split_key(key, 4)), torch.stack([fold_in(key, number) for number in range(4)]))


def _hashed(value: int) -> int:
    """The published hash, in Python's unlimited integers."""
    value ^= value >> 16
    value = value * 0x7FEB352D % 2**32
    value ^= value >> 15
    value = value * 0x846CA68B % 2**32
    return value ^ value >> 16


def test_numbers_are_those_of_the_published_hash() -> None:
    """So they are the same in all versions: a training that is resumed with a newer version goes on as it was."""
    key, shape = 2**31 + 5, (2, 3, 4)
    rows, columns = (_hashed((_hashed(key) + part) % 2**32) for part in (1, 2))
    expected = [
        _hashed(_hashed(rows ^ (row * shape[2] + column)) ^ _hashed(columns ^ middle))
        for row, middle, column in product(*map(range, shape))
    ]
    drawn = draw(key_of(key, CPU), shape, steady=1).flatten().tolist()
    assert [number % 2**32 for number in drawn] == expected
