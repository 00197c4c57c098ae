"""Linear recurrences over the bins of a trial, computed in parallel over bins."""

from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function

from nlb_search.models.recurrences.vmap_rules import merged


def scan(keep_BTC: Tensor, new_BTC: Tensor) -> Tensor:
    """The states h_t = keep_t h_(t-1) + new_t of every trial and channel, B x T x C, from a state of zero before bin 0.

    ``keep_BTC`` and ``new_BTC`` have the same shape and dtype; ``keep_t`` of bin 0 has no effect. Two steps of the
    recurrence are equivalent to one, so neighbouring bins are combined in pairs, the recurrence of half the length is
    solved recursively, and the bins between are filled in (Blelloch 1990, Prefix sums and their applications; for
    training, Martin & Cundy 2018, https://arxiv.org/abs/1709.04057). This takes about 2 log2(T) operations on whole
    tensors; work and memory are linear in T. It does not synchronize with the device.
    """
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
