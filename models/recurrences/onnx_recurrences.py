"""The recurrences as loops over bins that ``torch.export`` keeps as one operator, ``Scan`` in ONNX.

The functions that training uses have their own gradients and write into parts of tensors; exported, they would become
several operations per bin. These compute the same without gradients.
"""

import torch
from torch import Tensor
from torch._higher_order_ops.scan import scan as torch_scan  # not public yet, but what the ONNX exporter translates


def exported_scan(keep_BTC: Tensor, new_BTC: Tensor) -> Tensor:
    """``scan.scan``."""

    def step(before_BC: Tensor, now: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        keep_BC, new_BC = now
        after_BC = keep_BC * before_BC + new_BC
        return after_BC, after_BC.clone()

    keep_TBC, new_TBC = (values_BTC.movedim(1, 0).contiguous() for values_BTC in (keep_BTC, new_BTC))
    _, states_TBC = torch_scan(step, torch.zeros_like(new_TBC[0]), (keep_TBC, new_TBC))
    states_BTC: Tensor = states_TBC.movedim(0, 1)
    return states_BTC


def exported_complex_scan(keep_DC2: Tensor, new_DBTC2: Tensor) -> Tensor:
    """``scan.complex_scan``, in real numbers: ONNX has no complex ones."""

    def step(before_BDC2: Tensor, new_BDC2: Tensor) -> tuple[Tensor, Tensor]:
        real_DC, imaginary_DC = keep_DC2.unbind(-1)
        real_BDC, imaginary_BDC = before_BDC2.unbind(-1)
        kept = (real_DC * real_BDC - imaginary_DC * imaginary_BDC, real_DC * imaginary_BDC + imaginary_DC * real_BDC)
        after_BDC2 = torch.stack(kept, dim=-1) + new_BDC2
        return after_BDC2, after_BDC2.clone()

    new_TBDC2 = new_DBTC2.permute(2, 1, 0, 3, 4).contiguous()
    _, states_TBDC2 = torch_scan(step, torch.zeros_like(new_TBDC2[0]), new_TBDC2)
    states_DBTC2: Tensor = states_TBDC2.permute(2, 1, 0, 3, 4)
    return states_DBTC2


def exported_gated_recurrence(inputs_D3HTB: Tensor, weights_D3HH: Tensor, bias_DH: Tensor) -> Tensor:
    """``gated_recurrence.gated_recurrence``."""

    def step(before_BDH: Tensor, inputs_BD3H: Tensor) -> tuple[Tensor, Tensor]:
        recurrent_BD3H = torch.einsum("dgjh,bdh->bdgj", weights_D3HH, before_BDH)
        update_BDH, reset_BDH = torch.sigmoid(inputs_BD3H[:, :, :2] + recurrent_BD3H[:, :, :2]).unbind(2)
        candidate_BDH = torch.tanh(inputs_BD3H[:, :, 2] + reset_BDH * (recurrent_BD3H[:, :, 2] + bias_DH))
        after_BDH = candidate_BDH + update_BDH * (before_BDH - candidate_BDH)
        return after_BDH, after_BDH.clone()

    inputs_TBD3H = _second_reversed(inputs_D3HTB.permute(3, 4, 0, 1, 2)).contiguous()
    start_BDH = torch.zeros_like(inputs_TBD3H[0, :, :, 0], memory_format=torch.contiguous_format)
    _, states_TBDH = torch_scan(step, start_BDH, inputs_TBD3H)
    return _second_reversed(states_TBDH).permute(3, 2, 0, 1)


def _second_reversed(values: Tensor) -> Tensor:
    """Reverse the second direction, if there is one, in time; the axes begin with bins, trials and directions."""
    if values.shape[2] == 1:
        return values
    return torch.stack([values[:, :, 0], values[:, :, 1].flip(0)], dim=2)
