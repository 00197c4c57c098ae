"""The gated recurrence of GRU layers and its gradient: one loop over bins for both directions and many networks.

``nn.GRU`` loops over the bins once per direction, spends most of its time on call overhead on a CPU, and supports only
one network. Here a bin takes five calls in the forward pass and three in the backward pass, for any number of
directions and networks; computations that do not depend on the previous bin are outside the loop.

Axis letters in addition to those of ``models.tensors``: D directions, H channels of one direction, G = D x K. Inside
the loop, bins are the first axis and trials the last, so that the values of a bin are contiguous.
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function

from nlb_search.models.recurrences.onnx_recurrences import exported_gated_recurrence
from nlb_search.models.recurrences.vmap_rules import merged

UPDATE, RESET, CANDIDATE = range(3)
"""The order of the gates on an axis of size 3."""


def gated_recurrence(inputs_D3HTB: Tensor, weights_D3HH: Tensor, bias_DH: Tensor) -> Tensor:
    """The states of a GRU layer at every bin, H x D x T x B, with an initial state of zero (Cho et al. 2014).

    ``inputs_D3HTB`` is the contribution of the layer's input to each gate, including biases; ``weights_D3HH`` (gate,
    output channel, input channel) are the recurrent weights, and ``bias_DH`` is the bias of the candidate's recurrent
    term. The second direction, if there is one, runs backwards in time. As in ``nn.GRU``, the reset gate multiplies the
    candidate's recurrent term after its weights.
    """
    if torch.compiler.is_exporting():
        return exported_gated_recurrence(inputs_D3HTB, weights_D3HH, bias_DH)
    states_KHDTB: Tensor = _GatedRecurrence.apply(inputs_D3HTB[None], weights_D3HH[None], bias_DH[None])[0]
    return states_KHDTB[0]


class _GatedRecurrence(Function):
    """``gated_recurrence`` with a leading axis of K networks. Also returns the tensors that the gradient needs."""

    @staticmethod
    def forward(inputs_KD3HTB: Tensor, weights_KD3HH: Tensor, bias_KDH: Tensor) -> tuple[Tensor, ...]:
        n_networks, n_directions, _, n_channels, n_bins, n_trials = inputs_KD3HTB.shape
        by_direction = (n_directions, n_networks)
        # The preactivations of every bin. The candidate's slot starts with the bias of its recurrent term.
        gates_TDK3HB = inputs_KD3HTB.new_empty(n_bins, *by_direction, 3, n_channels, n_trials)
        _put_by_bin(inputs_KD3HTB[:, :, :CANDIDATE], gates_TDK3HB[:, :, :, :CANDIDATE])
        gates_TDK3HB[:, :, :, CANDIDATE] = bias_KDH.transpose(0, 1).unsqueeze(-1)
        candidate_TDKHB = inputs_KD3HTB.new_empty(n_bins, *by_direction, n_channels, n_trials)
        _put_by_bin(inputs_KD3HTB[:, :, CANDIDATE], candidate_TDKHB)
        gates_TG3HB, candidate_TGHB = gates_TDK3HB.flatten(1, 2), candidate_TDKHB.flatten(1, 2)
        states_TGHB = torch.empty_like(candidate_TGHB)
        weights_GJH = weights_KD3HH.transpose(0, 1).flatten(0, 1).flatten(1, 2)
        bins = zip(
            gates_TG3HB.flatten(2, 3).unbind(),
            gates_TG3HB[:, :, :CANDIDATE].flatten(2, 3).unbind(),
            *(gate_TGHB.unbind() for gate_TGHB in gates_TG3HB.unbind(2)),
            candidate_TGHB.unbind(),
            states_TGHB.unbind(),
            strict=True,
        )
        state = torch.zeros_like(states_TGHB[0])
        for gates, sigmoids, update, reset, recurrent, candidate, after in bins:
            gates.baddbmm_(weights_GJH, state)
            sigmoids.sigmoid_()
            candidate.addcmul_(reset, recurrent).tanh_()
            state = torch.lerp(candidate, state, update, out=after)
        states_KHDTB = states_TGHB.new_empty(n_networks, n_channels, n_directions, n_bins, n_trials)
        _take_from_bins(states_TGHB.unflatten(1, by_direction), states_KHDTB.transpose(1, 2))
        return states_KHDTB, gates_TG3HB, candidate_TGHB, states_TGHB

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, ...], output: tuple[Tensor, ...]) -> None:
        _, *kept = output
        ctx.mark_non_differentiable(*kept)
        ctx.save_for_backward(inputs[1], *kept)
        ctx.set_materialize_grads(False)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad_KHDTB: Tensor, *_: None) -> tuple[Tensor, ...]:
        weights_KD3HH, gates_TG3HB, candidate_TGHB, states_TGHB = ctx.saved_tensors
        by_network = weights_KD3HH.shape[:2]
        by_direction = by_network[::-1]
        n_bins, n_groups, _, n_channels, n_trials = gates_TG3HB.shape
        update_TGHB, reset_TGHB, recurrent_TGHB = gates_TG3HB.unbind(2)
        before_TGHB = torch.cat([torch.zeros_like(states_TGHB[:1]), states_TGHB[:-1]])
        # Factors from the gradient of a state to those of the candidate and of the recurrent terms of the three gates,
        # all before the nonlinearity. The loop multiplies the latter by the gradient.
        to_candidate_TGHB = (1 - candidate_TGHB.square()).mul_(1 - update_TGHB)
        grads_TG3HB = torch.empty_like(gates_TG3HB)
        torch.mul(before_TGHB - candidate_TGHB, (1 - update_TGHB).mul_(update_TGHB), out=grads_TG3HB[:, :, UPDATE])
        torch.mul(to_candidate_TGHB, reset_TGHB, out=grads_TG3HB[:, :, CANDIDATE])
        reset_factor_TGHB = (1 - reset_TGHB).mul_(recurrent_TGHB)
        torch.mul(grads_TG3HB[:, :, CANDIDATE], reset_factor_TGHB, out=grads_TG3HB[:, :, RESET])
        # The gradient of the output, to which the loop adds that of the later states.
        grad_TGHB = torch.empty_like(states_TGHB)
        _put_by_bin(grad_KHDTB.transpose(1, 2), grad_TGHB.unflatten(1, by_direction))
        weights_GHJ = weights_KD3HH.transpose(0, 1).flatten(0, 1).flatten(1, 2).transpose(1, 2).contiguous()
        grad, grad_G1HB, update = grad_TGHB.unbind(), grad_TGHB.unsqueeze(2).unbind(), update_TGHB.unbind()
        of_gates, of_gates_GJB = grads_TG3HB.unbind(), grads_TG3HB.flatten(2, 3).unbind()
        for now in reversed(range(n_bins)):
            of_gates[now].mul_(grad_G1HB[now])
            if now > 0:
                grad[now - 1].addcmul_(grad[now], update[now]).baddbmm_(weights_GHJ, of_gates_GJB[now])
        grads_GJS = grads_TG3HB.permute(1, 2, 3, 0, 4).reshape(n_groups, 3 * n_channels, n_bins * n_trials)
        before_GHS = before_TGHB.permute(1, 2, 0, 3).reshape(n_groups, n_channels, n_bins * n_trials)
        grad_weights_GJH = torch.bmm(grads_GJS, before_GHS.transpose(1, 2))
        grad_bias_GH = grads_GJS[:, CANDIDATE * n_channels :].sum(dim=2)
        grad_inputs_KD3HTB = grads_TG3HB.new_empty(*by_network, 3, n_channels, n_bins, n_trials)
        _take_from_bins(
            grads_TG3HB.unflatten(1, by_direction)[:, :, :, :CANDIDATE], grad_inputs_KD3HTB[:, :, :CANDIDATE]
        )
        _take_from_bins(
            grad_TGHB.mul_(to_candidate_TGHB).unflatten(1, by_direction), grad_inputs_KD3HTB[:, :, CANDIDATE]
        )
        return (
            grad_inputs_KD3HTB,
            grad_weights_GJH.view(*by_direction, 3, n_channels, n_channels).transpose(0, 1),
            grad_bias_GH.view(*by_direction, n_channels).transpose(0, 1),
        )

    @staticmethod
    def vmap(
        info: Any, in_dims: tuple[int | None, ...], *tensors: Tensor
    ) -> tuple[tuple[Tensor, ...], tuple[Any, ...]]:
        """Merge the vmapped axis into the axis of the K networks."""
        # The inner call saves the tensors for the gradient, so the outer ones are never used.
        states_KHDTB, *kept = _GatedRecurrence.apply(*merged(info, in_dims, tensors))
        return (states_KHDTB.unflatten(0, (info.batch_size, -1)), *kept), (0, *[None] * len(kept))


def _put_by_bin(values_KDxTB: Tensor, bins_TDKxB: Tensor) -> None:
    """Copy with bins as the first axis, and the second direction reversed in time."""
    for direction, values_KxTB in enumerate(values_KDxTB.unbind(1)):
        values_TKxB = values_KxTB.movedim(-2, 0)
        bins_TDKxB[:, direction] = values_TKxB.flip(0) if direction else values_TKxB


def _take_from_bins(bins_TDKxB: Tensor, values_KDxTB: Tensor) -> None:
    """The inverse of ``_put_by_bin``."""
    for direction, bins_TKxB in enumerate(bins_TDKxB.unbind(1)):
        values_KDxTB[:, direction] = (bins_TKxB.flip(0) if direction else bins_TKxB).movedim(0, -2)
