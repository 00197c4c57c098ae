"""PSTH R2: how well the trial averages of rates predict those of smoothed spikes (PSTHs), on the device of the rates.

The formula is that of ``nlb_tools.evaluation`` (Pei et al. 2021, section 3.2). K conditions, S bins of all
conditions; all sums use float64.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from nlb_search.models.scoring.r2 import r2, spread


@dataclass(frozen=True)
class PsthTargets:
    """Smoothed spikes averaged over the trials of each of K conditions (PSTHs).

    ``psth_KWN`` is NaN in bins that a condition does not have; ``trials`` holds one tensor of trial indices per
    condition; ``jitter_B`` is the delay of each trial's window in bins.
    """

    psth_KWN: Tensor
    trials: tuple[Tensor, ...]
    jitter_B: Tensor


def psth_r2(rates_BWN: Tensor, averages: PsthTargets) -> float:
    """R2 of the trial averages of rates, over all conditions with a trial, averaged over neurons."""
    return psth_r2_of(condition_averages(rates_BWN, averages), averages)


def psth_r2_of(predicted_KWN: Tensor, averages: PsthTargets) -> float:
    """Like ``psth_r2``, from the ``condition_averages`` of the rates."""
    has_trials_K = torch.tensor([len(trials) > 0 for trials in averages.trials], device=predicted_KWN.device)
    known_KW = ~torch.isnan(averages.psth_KWN[..., 0]) & has_trials_K[:, None]
    truth_SN = averages.psth_KWN[known_KW].double()
    predicted_SN = predicted_KWN[known_KW]
    return r2((truth_SN - predicted_SN).square().sum(dim=0), spread(truth_SN)).item()


def condition_averages(rates_BWN: Tensor, averages: PsthTargets) -> Tensor:
    """Rates averaged over the trials of each condition, K x W x N in float64; NaN for conditions without trials, and in
    bins that one of the trials does not have.
    """
    means_KWN = rates_BWN.new_full((len(averages.trials), *rates_BWN.shape[1:]), torch.nan, dtype=torch.float64)
    for mean_WN, trials in zip(means_KWN, averages.trials, strict=True):
        if len(trials):
            mean_WN.copy_(_aligned(rates_BWN[trials].double(), averages.jitter_B[trials]).mean(dim=0))
    return means_KWN


def _aligned(rates_BWN: Tensor, jitter_B: Tensor) -> Tensor:
    """Shift each trial's rates to later bins by its jitter. Bins outside its window are NaN."""
    n_bins = rates_BWN.shape[1]
    bins_BW = torch.arange(n_bins, device=rates_BWN.device) - jitter_B[:, None]
    trials_B1 = torch.arange(len(rates_BWN), device=rates_BWN.device)[:, None]
    aligned_BWN = rates_BWN[trials_B1, bins_BW.clamp(0, n_bins - 1)]
    outside_BW = (bins_BW < 0) | (bins_BW >= n_bins)
    return aligned_BWN.masked_fill(outside_BW[..., None], torch.nan)
