"""States and gradients of the scan equal those of a loop over bins."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.testing import assert_close
from vmapped import assert_as_alone

from nlb_search.models.recurrences.scan import scan


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


@settings(deadline=None, max_examples=80)
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
