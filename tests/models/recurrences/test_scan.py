"""States and gradients of the scans equal those of a loop over bins."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.testing import assert_close

from nlb_search.models.recurrences.scan import complex_scan, scan
from tests.helpers.vmapped import assert_as_alone


def _loop(keep: Tensor, new: Tensor) -> Tensor:
    state, states = torch.zeros_like(new[:, 0]), []
    for t in range(new.shape[1]):
        state = keep[:, t] * state + new[:, t]
        states.append(state)
    return torch.stack(states, dim=1)


def _random(n_trials: int, n_bins: int, n_channels: int, seed: int) -> tuple[Tensor, Tensor, Tensor]:
    """Shares to keep, news and weights of the states in a loss, in double precision."""
    generator = torch.Generator().manual_seed(seed)
    keep, new, weight = torch.randn(3, n_trials, n_bins, n_channels, generator=generator, dtype=torch.float64)
    return torch.sigmoid(3 * keep).requires_grad_(), new.requires_grad_(), weight


@settings(max_examples=80)
@given(st.integers(1, 4), st.integers(1, 70), st.integers(1, 5), st.integers(0, 2**31))
def test_scan_equals_loop(n_trials: int, n_bins: int, n_channels: int, seed: int) -> None:
    keep, new, weight = _random(n_trials, n_bins, n_channels, seed)
    ours, theirs = scan(keep, new), _loop(keep, new)
    assert_close(ours, theirs)
    for our, their in zip(
        torch.autograd.grad((ours * weight).sum(), (keep, new)),
        torch.autograd.grad((theirs * weight).sum(), (keep, new)),
        strict=True,
    ):
        assert_close(our, their)


def test_gradients_equal_finite_differences() -> None:
    for n_bins in (1, 2, 7, 16):
        keep, new, _ = _random(2, n_bins, 2, seed=n_bins)
        assert torch.autograd.gradcheck(scan, (keep, new))


def test_scan_without_decay_is_cumulative_sum() -> None:
    new = torch.randn(2, 1001, 3, dtype=torch.float64)
    assert_close(scan(torch.ones_like(new), new), new.cumsum(dim=1))


def test_scan_with_full_decay_is_identity() -> None:
    new = torch.randn(2, 37, 3)
    assert_close(scan(torch.zeros_like(new), new), new, rtol=0, atol=0)


def test_non_contiguous_inputs() -> None:
    keep, new, _ = _random(3, 21, 4, seed=0)
    keep_view, new_view = (x.transpose(0, 1).contiguous().transpose(0, 1) for x in (keep, new))
    assert_close(scan(keep_view, new_view), scan(keep, new))


def test_saved_tensors_do_not_depend_on_number_of_bins() -> None:
    """Memory grows with the number of bins, not with the number of steps of the scan."""

    def kept(n_bins: int) -> int:
        keep, new, _ = _random(2, n_bins, 3, seed=1)
        sizes: list[int] = []
        with torch.autograd.graph.saved_tensors_hooks(lambda x: sizes.append(x.numel()) or x, lambda x: x):
            scan(keep, new)
        return sum(sizes)

    assert kept(16) == 2 * 2 * 16 * 3
    assert kept(256) == 2 * 2 * 256 * 3


@pytest.mark.parametrize("shared", [None, 0, 1])
def test_stacked_scans_equal_single_scans(shared: int | None) -> None:
    """Also where they have what is kept or what is new in common."""
    torch.manual_seed(2)
    keep, new = torch.randn(2, 4, 3, 11, 2, dtype=torch.float64)
    assert_as_alone(scan, (torch.sigmoid(keep), new), shared)


def _complex_loop(keep: Tensor, new: Tensor) -> Tensor:
    """The recurrence in torch's complex numbers."""
    keep, new = torch.view_as_complex(keep), torch.view_as_complex(new)
    state, states = torch.zeros_like(new[:, :, 0]), []
    for t in range(new.shape[2]):
        state = keep[:, None] * state + new[:, :, t]
        states.append(state)
    return torch.view_as_real(torch.stack(states, dim=2))


def _random_complex(*shape: int, seed: int) -> tuple[Tensor, Tensor]:
    """What the states keep, in the unit disc, and what is new: ``shape`` is directions, trials, bins, channels."""
    generator = torch.Generator().manual_seed(seed)
    n_directions, *_, n_channels = shape
    radius, turns = torch.rand(2, n_directions, n_channels, generator=generator, dtype=torch.float64)
    keep = torch.view_as_real(torch.polar(radius, 2 * torch.pi * turns)).clone()
    new = torch.randn(*shape, 2, generator=generator, dtype=torch.float64)
    return keep.requires_grad_(), new.requires_grad_()


@settings(max_examples=60)
@given(st.integers(1, 2), st.integers(1, 3), st.integers(1, 70), st.integers(1, 4), st.integers(0, 2**31))
def test_complex_scan_equals_loop(n_directions: int, n_trials: int, n_bins: int, n_channels: int, seed: int) -> None:
    keep, new = _random_complex(n_directions, n_trials, n_bins, n_channels, seed=seed)
    ours, theirs = complex_scan(keep, new), _complex_loop(keep, new)
    assert_close(ours, theirs)
    weight = torch.randn_like(ours)
    for our, their in zip(
        torch.autograd.grad((ours * weight).sum(), (keep, new)),
        torch.autograd.grad((theirs * weight).sum(), (keep, new)),
        strict=True,
    ):
        assert_close(our, their)


@pytest.mark.parametrize("n_bins", [1, 2, 7, 16])
def test_complex_gradients_equal_finite_differences(n_bins: int) -> None:
    assert torch.autograd.gradcheck(complex_scan, _random_complex(2, 2, n_bins, 2, seed=n_bins))


def test_complex_impulse_response_is_geometric() -> None:
    keep, _ = _random_complex(1, 1, 1, 3, seed=0)
    impulse = torch.zeros(1, 1, 200, 3, 2, dtype=torch.float64)
    impulse[:, :, 0, :, 0] = 1
    powers = torch.view_as_complex(keep)[0] ** torch.arange(200).unsqueeze(1)
    assert_close(complex_scan(keep, impulse)[0, 0], torch.view_as_real(powers))


def test_complex_scan_of_real_numbers_is_the_scan() -> None:
    _, new, _ = _random(3, 41, 4, seed=5)
    keep = torch.rand(4, dtype=torch.float64)
    pairs = complex_scan(*(torch.stack([x, torch.zeros_like(x)], dim=-1).unsqueeze(0) for x in (keep, new)))
    assert_close(pairs[0, ..., 0], scan(keep.expand_as(new), new))
    assert not pairs[..., 1].any()


@pytest.mark.parametrize("shared", [None, 0, 1])
def test_stacked_complex_scans_equal_single_scans(shared: int | None) -> None:
    """Also where they have what is kept or what is new in common."""
    torch.manual_seed(2)
    keep, new = torch.randn(5, 2, 3, 2, dtype=torch.float64) / 2, torch.randn(5, 2, 4, 11, 3, 2, dtype=torch.float64)
    assert_as_alone(complex_scan, (keep, new), shared)
