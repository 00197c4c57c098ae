"""What predicted rates say of behaviour and of trial averages, on the device where the rates are.

The formulas are those of ``nlb_tools.evaluation`` (Pei et al. 2021, section 3.2), which fits every ridge regression
anew with scikit-learn. Here all of a cross-validation follows from sums over each fold, so that a score takes half a
second on one core at mc_rtt's size and two to three at mc_maze's, and every trial of a search can have it. Everything
is computed in float64.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

FOLDS = 5
ALPHAS = torch.logspace(-4, 0, 9, dtype=torch.float64)
"""Strengths of the ridge penalty to choose from."""


@dataclass(frozen=True)
class Velocity:
    """What is decoded from a split: ``velocity_BWC`` in the window, a sample being left out where its first is NaN.

    ``decoders_BM`` tells, for each of M decoders that are fitted apart, which trials it is for.
    """

    velocity_BWC: Tensor
    decoders_BM: Tensor


@dataclass(frozen=True)
class Averages:
    """Smoothed spikes averaged over the trials of each of K conditions.

    ``psth_KWN`` is NaN in bins that a condition does not have; ``trials`` are each condition's trials in the split, a
    tensor of indices a condition; ``jitter_B`` is by how many bins each trial's window is late.
    """

    psth_KWN: Tensor
    trials: tuple[Tensor, ...]
    jitter_B: Tensor


@dataclass(frozen=True)
class Timing:
    """Intervals that were produced: ``inside_BW`` are the bins from set to go, ``interval_B`` the time between them.

    Trials are compared within a condition, a row of ``condition_BC``; one with NaN is left out.
    """

    inside_BW: Tensor
    condition_BC: Tensor
    interval_B: Tensor


def velocity_r2(train_rates_BWN: Tensor, train: Velocity, val_rates_BWN: Tensor, val: Velocity) -> float:
    """R2 on val of velocity decoded from rates by ridge regressions fitted on train; the mean over the decoders."""
    scores = [
        _decoded_r2(
            *_samples(train_rates_BWN, train.velocity_BWC, for_train),
            *_samples(val_rates_BWN, val.velocity_BWC, for_val),
        )
        for for_train, for_val in zip(train.decoders_BM.T, val.decoders_BM.T, strict=True)
    ]
    return torch.tensor(scores, dtype=torch.float64).mean().item()


def psth_r2(rates_BWN: Tensor, averages: Averages) -> float:
    """R2 of the trial averages of rates, over all conditions that have a trial; the mean over neurons."""
    known_KW = ~torch.isnan(averages.psth_KWN[..., 0])
    truth, predicted = [], []
    for psth_WN, known_W, trials in zip(averages.psth_KWN, known_KW, averages.trials, strict=True):
        if len(trials):
            mean_WN = _aligned(rates_BWN[trials].double(), averages.jitter_B[trials]).mean(dim=0)
            truth.append(psth_WN[known_W].double())
            predicted.append(mean_WN[known_W])
    return _r2(torch.cat(truth), torch.cat(predicted)).item()


def tp_correlation(rates_BWN: Tensor, timing: Timing) -> float:
    """Pearson's r between the speed at which rates change from set to go and the time that takes, the produced
    interval tp; the mean over conditions.
    """
    speed_B = torch.stack(
        [
            torch.diff(rates_WN[inside_W].double(), dim=0).norm(dim=1).mean()
            for rates_WN, inside_W in zip(rates_BWN, timing.inside_BW, strict=True)
        ]
    )
    known_B = ~torch.isnan(timing.condition_BC).any(dim=1)
    conditions, condition_B = torch.unique(timing.condition_BC[known_B], dim=0, return_inverse=True)
    speeds, intervals = speed_B[known_B], timing.interval_B[known_B].double()
    correlations = [
        torch.corrcoef(torch.stack([speeds[condition_B == k], intervals[condition_B == k]]))[0, 1]
        for k in range(len(conditions))
    ]
    return torch.tensor(correlations, dtype=torch.float64).mean().item()


def _samples(rates_BWN: Tensor, velocity_BWC: Tensor, trials_B: Tensor) -> tuple[Tensor, Tensor]:
    """Rates S x N and velocity S x C in every bin of the chosen trials where the velocity is known."""
    rates_SN, velocity_SC = (values[trials_B].flatten(0, 1) for values in (rates_BWN, velocity_BWC))
    known_S = ~torch.isnan(velocity_SC[:, 0])
    return (rates_SN, velocity_SC) if bool(known_S.all()) else (rates_SN[known_S], velocity_SC[known_S])


def _decoded_r2(train_SN: Tensor, train_SC: Tensor, val_SN: Tensor, val_SC: Tensor) -> float:
    """R2 on val of the ridge regression whose penalty did best in a cross-validation on train.

    The folds are runs of samples in their order, as scikit-learn's GridSearchCV cuts them.
    """
    # Sums of squares about a mean lose no digits to it.
    mean_N, mean_C = (values.mean(dim=0, dtype=torch.float64) for values in (train_SN, train_SC))
    folds = list(zip(torch.tensor_split(train_SN, FOLDS), torch.tensor_split(train_SC, FOLDS), strict=True))
    sums = torch.stack([_sums(rates.double() - mean_N, velocity.double() - mean_C) for rates, velocity in folds])
    whole = sums.sum(dim=0)
    scores_FA = torch.stack(
        [
            _r2(velocity.double() - mean_C, _predict(rates.double() - mean_N, *_ridge(whole - part, mean_N.numel())))
            for (rates, velocity), part in zip(folds, sums, strict=True)
        ]
    )
    best = scores_FA.mean(dim=0).argmax()
    predicted_ASC = _predict(val_SN.double() - mean_N, *_ridge(whole, mean_N.numel()))
    return _r2(val_SC.double() - mean_C, predicted_ASC)[best].item()


def _sums(rates_SN: Tensor, velocity_SC: Tensor) -> Tensor:
    """Products of all columns, with a column of ones at the end, summed over samples: all that a ridge needs."""
    columns = torch.cat([rates_SN, velocity_SC, torch.ones_like(rates_SN[:, :1])], dim=1)
    return columns.T @ columns


def _ridge(sums: Tensor, n: int) -> tuple[Tensor, Tensor]:
    """Weights A x n x C and intercepts A x 1 x C of the ridge regression with each of the penalties, from `_sums`."""
    mean = sums[-1, :-1] / sums[-1, -1]
    scatter = sums[:-1, :-1] - torch.outer(sums[-1, :-1], mean)
    values_N, vectors_NN = torch.linalg.eigh(scatter[:n, :n])
    shrunk_ANN = vectors_NN / (values_N + ALPHAS.to(sums.device)[:, None])[:, None, :]
    weights_ANC = shrunk_ANN @ (vectors_NN.T @ scatter[:n, n:])
    return weights_ANC, mean[n:] - mean[None, None, :n] @ weights_ANC


def _predict(rates_SN: Tensor, weights_ANC: Tensor, intercepts_A1C: Tensor) -> Tensor:
    return torch.einsum("sn,anc->asc", rates_SN, weights_ANC) + intercepts_A1C


def _r2(truth_SC: Tensor, predicted_SC: Tensor) -> Tensor:
    """R2, the mean over columns. A constant column scores as in scikit-learn: 1 if it is foreseen exactly, else 0."""
    residual = (truth_SC - predicted_SC).square().sum(dim=-2)
    total = (truth_SC - truth_SC.mean(dim=-2, keepdim=True)).square().sum(dim=-2)
    return torch.where(total == 0, (residual == 0).double(), 1 - residual / total).mean(dim=-1)


def _aligned(rates_BWN: Tensor, jitter_B: Tensor) -> Tensor:
    """Each trial's rates moved to later bins by its jitter; NaN in bins that its window does not reach."""
    n_bins = rates_BWN.shape[1]
    bins_BW = torch.arange(n_bins, device=rates_BWN.device) - jitter_B[:, None]
    trials_B1 = torch.arange(len(rates_BWN), device=rates_BWN.device)[:, None]
    aligned_BWN = rates_BWN[trials_B1, bins_BW.clamp(0, n_bins - 1)]
    outside_BW = (bins_BW < 0) | (bins_BW >= n_bins)
    return aligned_BWN.masked_fill(outside_BW[..., None], torch.nan)
