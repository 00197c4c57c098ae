"""Outputs and gradients of GRU equal those of torch, also for networks side by side."""

from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.testing import assert_close

from nlb_search.models.blocks.gru import GRU
from nlb_search.models.hyperparameters import Hyperparameters
from nlb_search.models.recurrences.gated_recurrence import CANDIDATE, RESET, UPDATE, gated_recurrence
from nlb_search.models.tensors import Sizes
from tests.helpers.vmapped import assert_as_alone

SIZES = Sizes(n_heldin=5, n_heldout=2, n_window=14, n_forward=3)

_Parts = dict[str, Tensor]


def _parts(read: Callable[[str], Tensor], layer: int, n_directions: int) -> _Parts:
    """Weights of a layer of ``nn.GRU``, or what else ``read`` gives by their names, in our order of gates and channels.

    Torch has reset, update and candidate, and the channels of one direction after those of the other.
    """

    def of(name: str) -> Tensor:
        ends = ("", "_reverse")[:n_directions]
        gates = torch.stack([read(f"{name}_l{layer}{end}").unflatten(0, (3, -1)) for end in ends])
        return gates[:, [1, 0, 2]]

    assert (UPDATE, RESET, CANDIDATE) == (0, 1, 2)
    inputs = of("weight_ih")
    if layer:
        inputs = inputs.unflatten(-1, (n_directions, -1)).transpose(-1, -2).flatten(-2)
    return {"inputs": inputs, "state": of("weight_hh"), "bias": of("bias_ih"), "state_bias": of("bias_hh")}


def _copy(theirs: nn.GRU, ours: GRU) -> None:
    for number, layer in enumerate(ours.layers):
        parts = _parts(theirs.get_parameter, number, ours.n_directions)
        # The recurrent biases of the update and reset gates are added to the input biases.
        bias = parts["bias"].clone()
        bias[:, :CANDIDATE] += parts["state_bias"][:, :CANDIDATE]
        with torch.no_grad():
            layer.input_weight_D3HC.copy_(parts["inputs"])
            layer.state_weight_D3HH.copy_(parts["state"])
            layer.bias_D3H.copy_(bias)
            layer.state_bias_DH.copy_(parts["state_bias"][:, CANDIDATE])


@settings(max_examples=40)
@given(
    layers=st.integers(1, 3),
    hidden=st.integers(1, 7),
    bidirectional=st.booleans(),
    n_bins=st.integers(1, 19),
    n_trials=st.integers(1, 5),
    seed=st.integers(0, 2**31),
)
def test_outputs_and_gradients_match_torch(
    layers: int, hidden: int, bidirectional: bool, n_bins: int, n_trials: int, seed: int
) -> None:
    torch.manual_seed(seed)
    hyper = Hyperparameters(hidden=hidden, bidirectional=bidirectional)
    ours = GRU(SIZES.n_heldin, SIZES, hyper, layers).double().eval()
    theirs = nn.GRU(SIZES.n_heldin, hidden, layers, batch_first=True, bidirectional=bidirectional).double()
    _copy(theirs, ours)
    our_x, their_x = (x.requires_grad_() for x in torch.randn(2, n_trials, n_bins, 5).double()[[0, 0]].unbind())
    our_output = ours(our_x, torch.arange(n_bins).expand(n_trials, -1))
    by_direction, _ = theirs(their_x)
    their_output = by_direction.unflatten(-1, (ours.n_directions, -1)).transpose(-1, -2).flatten(-2)
    assert_close(our_output, their_output)

    weight = torch.randn_like(our_output)
    (our_output * weight).sum().backward()
    (their_output * weight).sum().backward()
    assert_close(our_x.grad, their_x.grad)
    for number, layer in enumerate(ours.layers):
        parts = _parts(lambda name: theirs.get_parameter(name).grad, number, ours.n_directions)  # type: ignore[arg-type, return-value]
        assert_close(layer.input_weight_D3HC.grad, parts["inputs"])
        assert_close(layer.state_weight_D3HH.grad, parts["state"])
        assert_close(layer.bias_D3H.grad, parts["bias"])
        assert_close(layer.state_bias_DH.grad, parts["state_bias"][:, CANDIDATE])


def _random(*shape: int) -> tuple[Tensor, Tensor, Tensor]:
    """Inputs, weights and bias of a recurrence: ``shape`` is networks if any, directions, channels, bins, trials."""
    *before, n_channels, n_bins, n_trials = shape
    tensors = (
        torch.randn(*before, 3, n_channels, n_bins, n_trials),
        torch.randn(*before, 3, n_channels, n_channels),
        torch.randn(*before, n_channels),
    )
    inputs, weights, bias = (tensor.double().requires_grad_() for tensor in tensors)
    return inputs, weights, bias


@pytest.mark.parametrize("shape", [(1, 1, 1, 1), (1, 3, 4, 2), (2, 2, 3, 2), (2, 1, 5, 1)])
def test_gradients_of_the_recurrence_equal_finite_differences(shape: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    # Only the states of the recurrence have gradients.
    assert torch.autograd.gradcheck(gated_recurrence, _random(*shape), check_undefined_grad=False)


@pytest.mark.parametrize("shared", [None, 0, 1, 2])
@pytest.mark.parametrize("n_directions", [1, 2])
def test_stacked_networks_equal_single_networks(n_directions: int, shared: int | None) -> None:
    """Also where they have one of the recurrence's inputs in common."""
    torch.manual_seed(1)
    assert_as_alone(gated_recurrence, _random(4, n_directions, 3, 7, 2), shared)
