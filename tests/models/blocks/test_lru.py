"""LRU equals its equations evaluated bin by bin."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional
from torch.testing import assert_close

from nlb_search.models.blocks import BLOCKS
from nlb_search.models.blocks.gru import GRU
from nlb_search.models.blocks.lru import LARGEST_PHASE, LONGEST_MEMORY, LRU, SHORTEST_MEMORY
from nlb_search.models.hyperparameters import Hyperparameters
from nlb_search.models.masking.crops import draw_bins
from nlb_search.models.random_draws import key_of
from nlb_search.models.tensors import Sizes

SIZES = Sizes(n_heldin=5, n_heldout=2, n_window=14, n_forward=3)


def _block(layers: int = 1, **changes: float) -> LRU:
    torch.manual_seed(0)
    return LRU(SIZES.n_heldin, SIZES, Hyperparameters(**{"hidden": 4, **changes}), layers).double().eval()


def _read(block: LRU, x: Tensor) -> Tensor:
    return block(x, torch.arange(x.shape[1]).expand(x.shape[:2]))


def _input(n_bins: int = 17) -> Tensor:
    return torch.randn(2, n_bins, SIZES.n_heldin, dtype=torch.float64)


def _equations(block: LRU, x: Tensor) -> Tensor:
    """The block in torch's complex numbers, in a loop over bins."""
    x = block.encode(x)
    for number, layer in enumerate(block.layers):
        linear = layer.direct_C * x
        for direction in range(block.n_directions):
            keep = torch.exp(torch.complex(-layer.nu_DH.exp(), layer.theta_DH.exp()))[direction]
            read = torch.view_as_complex(layer.input_weight_DCH2[direction].contiguous())
            shown = layer.output_weight_DH2C[direction]
            state = torch.zeros(len(x), len(keep), dtype=torch.complex128)
            outputs = []
            for x_t in (x if direction == 0 else x.flip(1)).unbind(1):
                state = keep * state + (1 - keep.abs() ** 2).sqrt() * (x_t.to(state.dtype) @ read)
                outputs.append(state.real @ shown[:, 0] + state.imag @ shown[:, 1])
            output = torch.stack(outputs, dim=1)
            linear = linear + (output if direction == 0 else output.flip(1))
        y = functional.gelu(linear)
        output = y * torch.sigmoid(layer.gate(y))
        x = x + output if number else output
    return x


@settings(max_examples=30)
@given(
    layers=st.integers(1, 3),
    hidden=st.integers(1, 6),
    bidirectional=st.booleans(),
    n_bins=st.integers(1, 40),
)
def test_lru_matches_reference_loop(layers: int, hidden: int, bidirectional: bool, n_bins: int) -> None:
    block, x = _block(layers, hidden=hidden, bidirectional=bidirectional), _input(n_bins)
    assert_close(_read(block, x), _equations(block, x))


def test_impulse_response_of_one_state_is_a_damped_rotation() -> None:
    """Of |lambda| = 0.9 and a phase of 0.3: gamma B lambda^t, before the nonlinearity."""
    block = _block(hidden=1, bidirectional=False)
    (layer,) = block.layers
    seen: list[Tensor] = []
    layer.gate.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    with torch.no_grad():
        layer.nu_DH.fill_(math.log(-math.log(0.9)))
        layer.theta_DH.fill_(math.log(0.3))
        layer.input_weight_DCH2.copy_(torch.tensor([2.0, 0.0]))
        layer.output_weight_DH2C.copy_(torch.tensor([[1.0], [0.0]]))
        layer.direct_C.zero_()
        impulse = torch.zeros(1, 60, 1, dtype=torch.float64)
        impulse[0, 0] = 1
        layer(impulse)
    bins = torch.arange(60, dtype=torch.float64)
    expected = math.sqrt(1 - 0.9**2) * 2 * 0.9**bins * torch.cos(0.3 * bins)
    assert_close(seen[0][0, :, 0], functional.gelu(expected))


def test_bidirectional_layers_read_past_and_future_and_others_the_past() -> None:
    for bidirectional in (True, False):
        block, x = _block(bidirectional=bidirectional), _input()
        changed = x.clone()
        changed[:, 8] += 1
        differs = (_read(block, changed) - _read(block, x)).abs().amax(dim=(0, 2)) > 1e-12
        assert torch.equal(differs, torch.arange(17) >= (0 if bidirectional else 8))


def test_time_reversal_symmetry() -> None:
    block, x = _block(2), _input()
    turned = _block(2)
    turned.load_state_dict(
        {name: weight.flip(0) if "_D" in name else weight for name, weight in block.state_dict().items()}
    )
    assert_close(_read(turned, x.flip(1)), _read(block, x).flip(1))


def test_states_have_the_variance_of_independent_inputs() -> None:
    """gamma keeps it, whatever the time constants: the linear output's variance is about that of the encoded input."""
    torch.manual_seed(0)
    (layer,) = LRU(SIZES.n_heldin, SIZES, Hyperparameters(hidden=100, bidirectional=False), 1).layers
    seen: list[Tensor] = []
    layer._joined = lambda outputs: seen.append(outputs) or outputs.squeeze(0)  # type: ignore[assignment, func-returns-value]
    with torch.no_grad():
        layer(torch.randn(8, 400, 100))
    assert seen[0][:, :, 100:].var().item() == pytest.approx(1, rel=0.15)


@pytest.mark.parametrize("bidirectional", [True, False])
@pytest.mark.parametrize("input_size", ["DT", "dT"])
def test_output_width_equals_that_of_gru(bidirectional: bool, input_size: str) -> None:
    bins = draw_bins(2, input_size, SIZES, key_of(0, torch.device("cpu")))
    hyper = Hyperparameters(hidden=7, bidirectional=bidirectional)
    gru, ours = (kind(SIZES.n_heldin, SIZES, hyper, 2) for kind in (GRU, LRU))
    assert ours.width == gru.width
    assert ours(torch.randn(*bins.shape, SIZES.n_heldin), bins).shape == (*bins.shape, gru.width)


def test_dropout_acts_between_layers_only() -> None:
    x = _input()
    one, two = (_block(layers, dropout=0.5) for layers in (1, 2))
    assert_close(_read(one.train(), x), _read(one.eval(), x))
    assert not torch.allclose(_read(two.train(), x), _read(two.eval(), x))


def test_initial_time_constants_and_phases_span_their_ranges() -> None:
    (layer,) = _block(hidden=200).layers
    memory_DH = torch.exp(-layer.nu_DH)
    assert memory_DH.amin().item() == pytest.approx(SHORTEST_MEMORY, rel=1e-3)
    assert memory_DH.amax().item() == pytest.approx(LONGEST_MEMORY, rel=1e-3)
    phase_DH = torch.exp(layer.theta_DH)
    assert phase_DH.amax() <= LARGEST_PHASE
    assert phase_DH.amin() < 0.05 * LARGEST_PHASE
    assert phase_DH.amax() > 0.95 * LARGEST_PHASE


def test_lru_is_parsed_with_number_of_layers() -> None:
    assert BLOCKS["LRU"] is LRU
    assert len(_block(2, num_layers=3).layers) == 3
