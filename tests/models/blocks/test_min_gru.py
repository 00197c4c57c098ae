"""minGRU equals its equations evaluated bin by bin, and can replace GRU in a chain."""

from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional
from torch.testing import assert_close

from nlb_search.models.blocks import BLOCKS, Block
from nlb_search.models.blocks.gru import GRU
from nlb_search.models.blocks.min_gru import LONGEST_MEMORY, SHORTEST_MEMORY, MinGRU, spread_gates
from nlb_search.models.hyperparameters import Hyperparameters
from nlb_search.models.masking.crops import draw_bins
from nlb_search.models.random_draws import key_of
from nlb_search.models.tensors import Sizes

SIZES = Sizes(n_heldin=5, n_heldout=2, n_window=14, n_forward=3)


def _block(kind: type[Block] = MinGRU, layers: int = 1, *, seed: int = 0, **changes: float) -> Block:
    torch.manual_seed(seed)
    return kind(SIZES.n_heldin, SIZES, Hyperparameters(**{"hidden": 4, **changes}), layers).eval()


def _read(block: Block, x: Tensor) -> Tensor:
    return block(x, torch.arange(x.shape[1]).expand(x.shape[:2]))


def _bin_by_bin(gate: Tensor, candidate: Tensor) -> Tensor:
    state, states = torch.zeros_like(gate[:, 0]), []
    for t in range(gate.shape[1]):
        z = torch.sigmoid(gate[:, t])
        state = (1 - z) * state + z * candidate[:, t]
        states.append(state)
    return torch.stack(states, dim=1)


def _equations(block: MinGRU, x: Tensor, *, bidirectional: bool) -> Tensor:
    """The channels of the two directions alternate."""
    for layer in block.layers:
        gate, candidate = layer.gate(x), layer.candidate(x)
        if bidirectional:
            ahead = _bin_by_bin(gate[..., ::2], candidate[..., ::2])
            back = _bin_by_bin(gate[..., 1::2].flip(1), candidate[..., 1::2].flip(1)).flip(1)
            x = functional.gelu(torch.stack([ahead, back], dim=-1).flatten(-2))
        else:
            x = functional.gelu(_bin_by_bin(gate, candidate))
    return x


@settings(max_examples=40)
@given(
    layers=st.integers(1, 3),
    hidden=st.integers(1, 6),
    bidirectional=st.booleans(),
    n_bins=st.integers(1, 40),
    seed=st.integers(0, 2**31),
)
def test_min_gru_matches_reference_loop(layers: int, hidden: int, bidirectional: bool, n_bins: int, seed: int) -> None:
    block = _block(MinGRU, layers, seed=seed, hidden=hidden, bidirectional=bidirectional)
    assert isinstance(block, MinGRU)
    x = torch.randn(3, n_bins, SIZES.n_heldin)
    assert_close(_read(block, x), _equations(block, x, bidirectional=bidirectional), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("kind", [GRU, MinGRU])
def test_directions_read_past_and_future(kind: type[Block]) -> None:
    block = _block(kind)
    x = torch.randn(2, 17, SIZES.n_heldin)
    changed = x.clone()
    changed[:, 8] += 1
    differs = (_read(block, changed) != _read(block, x)).any(dim=0)
    forwards, backwards = differs[:, ::2].any(dim=1), differs[:, 1::2].any(dim=1)
    bins = torch.arange(17)
    assert torch.equal(forwards, bins >= 8)
    assert torch.equal(backwards, bins <= 8)


def test_time_reversal_symmetry() -> None:
    block = _block()
    turned = _block(seed=1)
    swapped = torch.arange(8).unflatten(0, (4, 2)).flip(1).flatten()
    turned.load_state_dict({name: weight[swapped] for name, weight in block.state_dict().items()})
    x = torch.randn(2, 17, SIZES.n_heldin)
    assert_close(_read(turned, x.flip(1)), _read(block, x).flip(1)[..., swapped])


@pytest.mark.parametrize("bidirectional", [True, False])
@pytest.mark.parametrize("input_size", ["DT", "dT"])
def test_output_width_equals_that_of_gru(bidirectional: bool, input_size: str) -> None:
    bins = draw_bins(2, input_size, SIZES, key_of(0, torch.device("cpu")))
    x = torch.randn(*bins.shape, SIZES.n_heldin)
    gru, ours = (_block(kind, 2, hidden=7, bidirectional=bidirectional) for kind in (GRU, MinGRU))
    assert ours.width == gru.width
    assert ours(x, bins).shape == gru(x, bins).shape == (*bins.shape, gru.width)


def test_num_layers_overrides_the_number_in_the_chain() -> None:
    def layers(block: Block) -> int:
        return sum(name.endswith("gate.weight") for name, _ in block.named_parameters())

    assert layers(_block(layers=2)) == 2
    assert layers(_block(layers=2, num_layers=3)) == 3


@pytest.mark.parametrize("kind", [GRU, MinGRU])
def test_dropout_acts_between_layers_only(kind: type[Block]) -> None:
    x = torch.randn(2, 17, SIZES.n_heldin)
    one, two = (_block(kind, layers, dropout=0.5) for layers in (1, 2))
    assert_close(_read(one.train(), x), _read(one.eval(), x))
    assert not torch.allclose(_read(two.train(), x), _read(two.eval(), x))


def test_initial_time_constants_span_the_range() -> None:
    keep = 1 - torch.sigmoid(spread_gates(9).double())
    memory = (-1 / torch.log(keep)).tolist()
    assert memory[0] == pytest.approx(SHORTEST_MEMORY, rel=1e-3)
    assert memory[-1] == pytest.approx(LONGEST_MEMORY, rel=1e-3)
    ratios = [after / before for before, after in pairwise(memory)]
    assert ratios == pytest.approx([ratios[0]] * 8, rel=1e-3)


def test_single_channel() -> None:
    assert torch.isfinite(_read(_block(hidden=1), torch.ones(1, 3, SIZES.n_heldin))).all()


def test_min_gru_is_parsed_with_number_of_layers() -> None:
    assert BLOCKS["minGRU"] is MinGRU
