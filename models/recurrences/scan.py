"""Linear recurrences over the bins of a trial, computed in parallel over bins."""

from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function

from nlb_search.models.recurrences.onnx_recurrences import exported_complex_scan, exported_scan
from nlb_search.models.recurrences.vmap_rules import merged


def scan(keep_BTC: Tensor, new_BTC: Tensor) -> Tensor:
    """The states h_t = keep_t h_(t-1) + new_t of every trial and channel, B x T x C, from a state of zero before bin 0.

    ``keep_BTC`` and ``new_BTC`` have the same shape and dtype; ``keep_t`` of bin 0 has no effect. Two steps of the
    recurrence are equivalent to one, so neighbouring bins are combined in pairs, the recurrence of half the length is
    solved recursively, and the bins between are filled in (Blelloch 1990, Prefix sums and their applications; for
    training, Martin & Cundy 2018, https://arxiv.org/abs/1709.04057). This takes about 2 log2(T) operations on whole
    tensors; work and memory are linear in T. It does not synchronize with the device.
    """
    if torch.compiler.is_exporting():
        return exported_scan(keep_BTC, new_BTC)
    states_BTC: Tensor = _Scan.apply(keep_BTC, new_BTC)
    return states_BTC


class _Scan(Function):
    """Saves only its input and output for the gradient, which is the same recurrence, backwards in time."""

    @staticmethod
    def forward(keep_BTC: Tensor, new_BTC: Tensor) -> Tensor:
        states_BTC = torch.empty_like(new_BTC)
        _solve(keep_BTC, new_BTC, states_BTC)
        return states_BTC

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor], output: Tensor) -> None:
        ctx.save_for_backward(inputs[0], output)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad_BTC: Tensor) -> tuple[Tensor, Tensor]:
        keep_BTC, states_BTC = ctx.saved_tensors
        # A state affects the loss directly and, through the next bin's keep, through the next state.
        next_keep_BTC = keep_BTC.roll(-1, dims=1)
        total_BTC = torch.empty_like(states_BTC)
        _solve(next_keep_BTC.flip(1), grad_BTC.flip(1), total_BTC)
        total_BTC = total_BTC.flip(1)
        grad_keep_BTC = torch.zeros_like(keep_BTC)
        torch.mul(total_BTC[:, 1:], states_BTC[:, :-1], out=grad_keep_BTC[:, 1:])
        return grad_keep_BTC, total_BTC

    @staticmethod
    def vmap(info: Any, in_dims: tuple[int | None, ...], *tensors: Tensor) -> tuple[Tensor, int]:
        """Merge the vmapped axis into the axis of trials."""
        states_BTC: Tensor = _Scan.apply(*merged(info, in_dims, tensors))
        return states_BTC.unflatten(0, (info.batch_size, -1)), 0


def _solve(keep_BTC: Tensor, new_BTC: Tensor, states_BTC: Tensor) -> None:
    """Write the states of the recurrence into ``states_BTC``."""
    n_bins = new_BTC.shape[1]
    states_BTC[:, 0] = new_BTC[:, 0]
    if n_bins == 1:
        return
    # Bins 0 and 1 are a pair, 2 and 3 the next. If the number is odd, the last bin has no pair.
    paired = n_bins - n_bins % 2
    second = slice(1, paired, 2)
    first = slice(0, paired, 2)
    pair_keep = keep_BTC[:, second] * keep_BTC[:, first]
    pair_new = torch.addcmul(new_BTC[:, second], keep_BTC[:, second], new_BTC[:, first])
    _solve(pair_keep, pair_new, states_BTC[:, second])
    later = slice(2, None, 2)
    states_BTC[:, later] = torch.addcmul(new_BTC[:, later], keep_BTC[:, later], states_BTC[:, 1 : n_bins - 1 : 2])


def complex_scan(keep_DC2: Tensor, new_DBTC2: Tensor) -> Tensor:
    """The complex states h_t = keep h_(t-1) + new_t, D x B x T x C x 2, from a state of zero before bin 0.

    The last axis holds the real and the imaginary part. ``keep_DC2`` differs between the directions and channels, but
    not between bins, as in linear state-space models. The algorithm is that of ``scan``. Complex numbers are pairs of
    real ones outside of this function, because optimizers, ``torch.vmap`` and padding then treat them like all others.
    """
    if torch.compiler.is_exporting():
        return exported_complex_scan(keep_DC2, new_DBTC2)
    states_DBTC2: Tensor = _ComplexScan.apply(keep_DC2, new_DBTC2)
    return states_DBTC2


class _ComplexScan(Function):
    """Saves only its input and output for the gradient, as ``_Scan``."""

    @staticmethod
    def forward(keep_DC2: Tensor, new_DBTC2: Tensor) -> Tensor:
        return torch.view_as_real(_solved(_complex(keep_DC2), _complex(new_DBTC2)))

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor], output: Tensor) -> None:
        ctx.save_for_backward(inputs[0], output)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad_DBTC2: Tensor) -> tuple[Tensor, Tensor]:
        keep_DC, states_DBTC = map(_complex, ctx.saved_tensors)
        # The gradient of a + bi is that of a plus i times that of b; it passes through a product conjugated.
        total_DBTC = _solved(keep_DC.conj().resolve_conj(), _complex(grad_DBTC2).flip(2)).flip(2)
        grad_keep_DC = (total_DBTC[:, :, 1:] * states_DBTC[:, :, :-1].conj()).sum((1, 2))
        return torch.view_as_real(grad_keep_DC), torch.view_as_real(total_DBTC)

    @staticmethod
    def vmap(info: Any, in_dims: tuple[int | None, ...], *tensors: Tensor) -> tuple[Tensor, int]:
        """Merge the vmapped axis into the axis of directions."""
        states_DBTC2: Tensor = _ComplexScan.apply(*merged(info, in_dims, tensors))
        return states_DBTC2.unflatten(0, (info.batch_size, -1)), 0


def _complex(pairs: Tensor) -> Tensor:
    return torch.view_as_complex(pairs.contiguous())


def _solved(keep_DC: Tensor, new_DBTC: Tensor) -> Tensor:
    """The states of the complex recurrence."""
    states_DBTC = torch.empty_like(new_DBTC)
    _solve_constant(keep_DC[:, None, None], new_DBTC, states_DBTC)
    return states_DBTC


def _solve_constant(keep_D11C: Tensor, new_DBTC: Tensor, states_DBTC: Tensor) -> None:
    """Write the states of the recurrence into ``states_DBTC``, in the steps of ``_solve``.

    It has no ``addcmul``, which on a GPU is compiled at its first call if the numbers are complex.
    """
    n_bins = new_DBTC.shape[2]
    states_DBTC[:, :, 0] = new_DBTC[:, :, 0]
    if n_bins == 1:
        return
    paired = n_bins - n_bins % 2
    second = slice(1, paired, 2)
    first = slice(0, paired, 2)
    pair_new = (keep_D11C * new_DBTC[:, :, first]).add_(new_DBTC[:, :, second])
    _solve_constant(keep_D11C * keep_D11C, pair_new, states_DBTC[:, :, second])
    later = slice(2, None, 2)
    carried = keep_D11C * states_DBTC[:, :, 1 : n_bins - 1 : 2]
    torch.add(new_DBTC[:, :, later], carried, out=states_DBTC[:, :, later])
