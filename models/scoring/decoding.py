"""The secondary scores of the benchmark, computed on the device of the rates: velocity R2, PSTH R2 and tp correlation.

The formulas are those of ``nlb_tools.evaluation`` (Pei et al. 2021, section 3.2), which fits every ridge regression
with scikit-learn. Here the whole cross-validation is computed from sums over each fold, accumulated in one pass over
the rates. A score takes well under a second on one core at the size of mc_maze, and about 30 MB, so every trial of a
search can have it. All computations use float64.

Axis letters in addition to those of ``models.tensors``: M decoders, F folds, A penalties, S samples (bins of trials),
and Q columns of a sample: its N rates, its velocity in C directions, and a one.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

FOLDS = 5
RUN = 16
"""Number of trials whose columns are in memory at once."""
ALPHAS = torch.logspace(-4, 0, 9, dtype=torch.float64)
"""The ridge penalties to choose from."""


@dataclass(frozen=True)
class VelocityTargets:
    """The velocity to decode in a split: ``velocity_BWC`` in the window. Bins where its first component is NaN are
    left out.

    ``decoders_BM`` is boolean: the trials of each of the M decoders, which are fitted separately.
    """

    velocity_BWC: Tensor
    decoders_BM: Tensor


@dataclass(frozen=True)
class PsthTargets:
    """Smoothed spikes averaged over the trials of each of K conditions (PSTHs).

    ``psth_KWN`` is NaN in bins that a condition does not have; ``trials`` holds one tensor of trial indices per
    condition; ``jitter_B`` is the delay of each trial's window in bins.
    """

    psth_KWN: Tensor
    trials: tuple[Tensor, ...]
    jitter_B: Tensor


@dataclass(frozen=True)
class IntervalTargets:
    """Produced intervals: ``inside_BW`` marks the bins from set to go, ``interval_B`` is the time between them.

    Trials are compared within a condition, a row of ``condition_BC``. Trials with NaN in that row are left out.
    """

    inside_BW: Tensor
    condition_BC: Tensor
    interval_B: Tensor


def velocity_r2_of(errors_MBWC: Tensor, val: VelocityTargets) -> float:
    """R2 on val of decoded velocity, averaged over decoders, from their ``velocity_errors``."""
    scores = []
    for errors_BWC, trials_B in zip(errors_MBWC, val.decoders_BM.T, strict=True):
        known_BW = _known(val.velocity_BWC, trials_B)
        scores.append(_r2(errors_BWC[known_BW].square().sum(dim=0), _spread(val.velocity_BWC[known_BW])))
    return torch.stack(scores).mean().item()


def velocity_errors(
    train_rates: Iterable[Tensor], train: VelocityTargets, val_rates_BWN: Tensor, val: VelocityTargets
) -> Tensor:
    """True minus decoded velocity of each decoder on val, M x B x W x C, NaN in bins that the decoder does not score.

    Decoders are ridge regressions from rates to velocity, fitted on train. ``train_rates`` yields the rates of train in
    trial order, B x W x N for a part of the trials at a time, so that they need not all be in memory. Raises ValueError
    if rates and velocity differ in the number of trials.
    """
    folds_MBW = torch.stack([_folds(_known(train.velocity_BWC, trials_B)) for trials_B in train.decoders_BM.T])
    # Subtracting a point near the mean avoids cancellation. The mean rates of val are near those of train.
    origin_Q = _columns(val_rates_BWN.mean(dim=(0, 1)), train.velocity_BWC.nanmean(dim=(0, 1)))
    origin_Q[-1] = 0
    products_MFQQ = _products(train_rates, train.velocity_BWC, folds_MBW, origin_Q)
    errors_MBWC = []
    for products_FQQ, fold_BW, trials_B in zip(products_MFQQ, folds_MBW, val.decoders_BM.T, strict=True):
        spread_FC = torch.stack([_spread(train.velocity_BWC[fold_BW == fold]) for fold in range(FOLDS)])
        errors_QC = _best_ridge(products_FQQ, spread_FC)
        runs = _runs([val_rates_BWN], val.velocity_BWC, origin_Q)
        errors_BWC = torch.cat([columns_BWQ @ errors_QC for _, columns_BWQ in runs])
        unknown_BW = ~_known(val.velocity_BWC, trials_B)
        errors_MBWC.append(errors_BWC.masked_fill(unknown_BW[..., None], torch.nan))
    return torch.stack(errors_MBWC)


def psth_r2(rates_BWN: Tensor, averages: PsthTargets) -> float:
    """R2 of the trial averages of rates, over all conditions with a trial, averaged over neurons."""
    return psth_r2_of(condition_averages(rates_BWN, averages), averages)


def psth_r2_of(predicted_KWN: Tensor, averages: PsthTargets) -> float:
    """Like ``psth_r2``, from the ``condition_averages`` of the rates."""
    has_trials_K = torch.tensor([len(trials) > 0 for trials in averages.trials], device=predicted_KWN.device)
    known_KW = ~torch.isnan(averages.psth_KWN[..., 0]) & has_trials_K[:, None]
    truth_SN = averages.psth_KWN[known_KW].double()
    predicted_SN = predicted_KWN[known_KW]
    return _r2((truth_SN - predicted_SN).square().sum(dim=0), _spread(truth_SN)).item()


def condition_averages(rates_BWN: Tensor, averages: PsthTargets) -> Tensor:
    """Rates averaged over the trials of each condition, K x W x N in float64; NaN for conditions without trials, and in
    bins that one of the trials does not have.
    """
    means_KWN = rates_BWN.new_full((len(averages.trials), *rates_BWN.shape[1:]), torch.nan, dtype=torch.float64)
    for mean_WN, trials in zip(means_KWN, averages.trials, strict=True):
        if len(trials):
            mean_WN.copy_(_aligned(rates_BWN[trials].double(), averages.jitter_B[trials]).mean(dim=0))
    return means_KWN


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


def _known(velocity_BWC: Tensor, trials_B: Tensor) -> Tensor:
    """The samples, as a boolean mask B x W: bins of the selected trials with known velocity."""
    return ~torch.isnan(velocity_BWC[..., 0]) & trials_B[:, None]


def _folds(known_BW: Tensor) -> Tensor:
    """The fold of each sample, -1 in other bins: contiguous folds, as in scikit-learn's GridSearchCV."""
    fold_S = known_BW.new_empty(int(known_BW.sum()), dtype=torch.int8)
    for fold, run_S in enumerate(torch.tensor_split(fold_S, FOLDS)):
        run_S.fill_(fold)
    return torch.full_like(known_BW, -1, dtype=torch.int8).masked_scatter(known_BW, fold_S)


def _columns(rates: Tensor, velocity: Tensor) -> Tensor:
    """The columns of samples for a ridge regression, ... x Q."""
    return torch.cat([rates.double(), velocity.double(), torch.ones_like(velocity[..., :1]).double()], dim=-1)


def _runs(rates: Iterable[Tensor], velocity_BWC: Tensor, origin_Q: Tensor) -> Iterator[tuple[slice, Tensor]]:
    """Yield runs of trials: their indices, and their columns relative to the origin, B x W x Q."""
    stop = 0
    for rates_BWN in (run_BWN for part_BWN in rates for run_BWN in torch.split(part_BWN, RUN)):
        start, stop = stop, stop + len(rates_BWN)
        if stop > len(velocity_BWC):
            break
        yield slice(start, stop), _columns(rates_BWN, velocity_BWC[start:stop]) - origin_Q
    if stop != len(velocity_BWC):
        raise ValueError(f"the number of trials in the rates is not {len(velocity_BWC)}, as in the velocity")


def _products(rates: Iterable[Tensor], velocity_BWC: Tensor, folds_MBW: Tensor, origin_Q: Tensor) -> Tensor:
    """Products of all columns, summed over the samples of each decoder and fold, M x F x Q x Q."""
    products_MFQQ = origin_Q.new_zeros(len(folds_MBW), FOLDS, len(origin_Q), len(origin_Q))
    for trials, columns_BWQ in _runs(rates, velocity_BWC, origin_Q):
        for products_FQQ, fold_BW in zip(products_MFQQ, folds_MBW[:, trials], strict=True):
            for fold in range(FOLDS):
                columns_SQ = columns_BWQ[fold_BW == fold]
                products_FQQ[fold] += columns_SQ.T @ columns_SQ
    return products_MFQQ


def _best_ridge(products_FQQ: Tensor, spread_FC: Tensor) -> Tensor:
    """The ridge regression with the penalty that scores best in cross-validation, as from ``_ridge``, Q x C."""
    whole_QQ = products_FQQ.sum(dim=0)
    n_targets = spread_FC.shape[1]
    scores = []
    for products_QQ, spread_C in zip(products_FQQ, spread_FC, strict=True):
        errors_AQC = _ridge(whole_QQ - products_QQ, n_targets)
        scores.append(_r2(torch.einsum("akc,kl,alc->ac", errors_AQC, products_QQ, errors_AQC), spread_C))
    return _ridge(whole_QQ, n_targets)[torch.stack(scores).mean(dim=0).argmax()]


def _ridge(products_QQ: Tensor, n_targets: int) -> Tensor:
    """A ridge regression for each penalty, A x Q x C, as weights that map the columns to the errors in velocity."""
    mean = products_QQ[-1, :-1] / products_QQ[-1, -1]
    scatter = products_QQ[:-1, :-1] - torch.outer(products_QQ[-1, :-1], mean)
    n = len(mean) - n_targets
    values_N, vectors_NN = torch.linalg.eigh(scatter[:n, :n])
    shrunk_ANN = vectors_NN / (values_N + ALPHAS.to(values_N.device)[:, None])[:, None, :]
    weights_ANC = shrunk_ANN @ (vectors_NN.T @ scatter[:n, n:])
    intercepts_A1C = mean[n:] - mean[None, None, :n] @ weights_ANC
    own_ACC = torch.eye(n_targets).to(weights_ANC).expand(len(ALPHAS), -1, -1)
    return torch.cat([-weights_ANC, own_ACC, -intercepts_A1C], dim=1)


def _spread(truth_SC: Tensor) -> Tensor:
    """Squared distances from the mean, summed over samples."""
    truth_SC = truth_SC.double()
    return (truth_SC - truth_SC.mean(dim=0)).square().sum(dim=0)


def _r2(residual: Tensor, spread_C: Tensor) -> Tensor:
    """R2 from sums of squares ... x C, averaged over C.

    Constant targets score as in scikit-learn: 1 if they are predicted exactly, otherwise 0.
    """
    return torch.where(spread_C == 0, (residual == 0).double(), 1 - residual / spread_C).mean(dim=-1)


def _aligned(rates_BWN: Tensor, jitter_B: Tensor) -> Tensor:
    """Shift each trial's rates to later bins by its jitter. Bins outside its window are NaN."""
    n_bins = rates_BWN.shape[1]
    bins_BW = torch.arange(n_bins, device=rates_BWN.device) - jitter_B[:, None]
    trials_B1 = torch.arange(len(rates_BWN), device=rates_BWN.device)[:, None]
    aligned_BWN = rates_BWN[trials_B1, bins_BW.clamp(0, n_bins - 1)]
    outside_BW = (bins_BW < 0) | (bins_BW >= n_bins)
    return aligned_BWN.masked_fill(outside_BW[..., None], torch.nan)
