"""Linear recurrences over the bins of a trial, all bins at once instead of one after the other."""

from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function

from nlb_search.models.recurrences.vmap_rules import merged


def scan(keep_BTC: Tensor, new_BTC: Tensor) -> Tensor:
    """The states h_t = keep_t h_(t-1) + new_t of every trial and channel, B x T x C, from a state of zero before bin 0.

    ``keep_BTC`` and ``new_BTC`` have one shape and type; ``keep_t`` of bin 0 changes nothing. Two steps of the
    recurrence are again one step, so neighbouring bins are joined in pairs, the half as long recurrence is solved the
    same way, and the bins between are filled in (Blelloch 1990, Prefix sums and their applications; for training,
    Martin & Cundy 2018, https://arxiv.org/abs/1709.04057). That is about 2 log2(T) operations on whole tensors, and
    work and memory that grow with T alone. Nothing waits for the device.
    """
    states_BTC: Tensor = _Scan.apply(keep_BTC, new_BTC)
    return states_BTC


class _Scan(Function):
    """Keeps only its input and output for the gradient, which is the same recurrence, run backwards in time."""

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
        # A state acts on the loss by itself and, through the next bin's keep, by the state after it.
        next_keep_BTC = keep_BTC.roll(-1, dims=1)
        total_BTC = torch.empty_like(states_BTC)
        _solve(next_keep_BTC.flip(1), grad_BTC.flip(1), total_BTC)
        total_BTC = total_BTC.flip(1)
        grad_keep_BTC = torch.zeros_like(keep_BTC)
        torch.mul(total_BTC[:, 1:], states_BTC[:, :-1], out=grad_keep_BTC[:, 1:])
        return grad_keep_BTC, total_BTC

    @staticmethod
    def vmap(info: Any, in_dims: tuple[int | None, ...], *tensors: Tensor) -> tuple[Tensor, int]:
        """Networks that ``torch.vmap`` runs side by side are more trials to a scan."""
        states_BTC: Tensor = _Scan.apply(*merged(info, in_dims, tensors))
        return states_BTC.unflatten(0, (info.batch_size, -1)), 0


def _solve(keep_BTC: Tensor, new_BTC: Tensor, states_BTC: Tensor) -> None:
    """Write the states of the recurrence into ``states_BTC``."""
    n_bins = new_BTC.shape[1]
    states_BTC[:, 0] = new_BTC[:, 0]
    if n_bins == 1:
        return
    # Bins 0 and 1 are a pair, 2 and 3 the next; an odd number leaves the last bin alone.
    paired = n_bins - n_bins % 2
    second = slice(1, paired, 2)
    first = slice(0, paired, 2)
    pair_keep = keep_BTC[:, second] * keep_BTC[:, first]
    pair_new = torch.addcmul(new_BTC[:, second], keep_BTC[:, second], new_BTC[:, first])
    _solve(pair_keep, pair_new, states_BTC[:, second])
    later = slice(2, None, 2)
    states_BTC[:, later] = torch.addcmul(new_BTC[:, later], keep_BTC[:, later], states_BTC[:, 1 : n_bins - 1 : 2])
