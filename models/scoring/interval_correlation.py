"""tp corr: the correlation of the rates' speed with the time interval that an animal produces (dmfc_rsg).

The formula is that of ``nlb_tools.evaluation`` (Pei et al. 2021, section 3.2). All computations use float64.
"""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class IntervalTargets:
    """Produced intervals: ``inside_BW`` marks the bins from set to go, ``interval_B`` is the time between them.

    Trials are compared within a condition, a row of ``condition_BC``. Trials with NaN in that row are left out.
    """

    inside_BW: Tensor
    condition_BC: Tensor
    interval_B: Tensor


def tp_correlation(rates_BWN: Tensor, timing: IntervalTargets) -> float:
    """Pearson's r between the speed of the rates from set to go and the produced interval tp, averaged over
    conditions.
    """
    speed_B = rate_speeds(rates_BWN, timing)
    known_B = ~torch.isnan(timing.condition_BC).any(dim=1)
    conditions, condition_B = torch.unique(timing.condition_BC[known_B], dim=0, return_inverse=True)
    speeds, intervals = speed_B[known_B], timing.interval_B[known_B].double()
    correlations = [
        torch.corrcoef(torch.stack([speeds[condition_B == k], intervals[condition_B == k]]))[0, 1]
        for k in range(len(conditions))
    ]
    return torch.tensor(correlations, dtype=torch.float64).mean().item()


def rate_speeds(rates_BWN: Tensor, timing: IntervalTargets) -> Tensor:
    """Mean speed of each trial's rates from set to go, in spikes per bin from one bin to the next."""
    return torch.stack(
        [
            torch.diff(rates_WN[inside_W].double(), dim=0).norm(dim=1).mean()
            for rates_WN, inside_W in zip(rates_BWN, timing.inside_BW, strict=True)
        ]
    )
