"""Velocity R2: how well a ridge regression decodes velocity from rates, computed on the device of the rates.

The formula is that of ``nlb_tools.evaluation`` (Pei et al. 2021, section 3.2), which fits the regression with
scikit-learn. Here the whole cross-validation is computed from sums over each fold, accumulated in one pass over the
rates. The score takes well under a second on one core at the size of mc_maze, and about 30 MB, so every trial of a
search can have it. All computations use float64.

Axis letters in addition to those of ``models.tensors``: M decoders, F folds, A penalties, S samples (bins of trials),
and Q columns of a sample: its N rates, its velocity in C directions, and a one.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from nlb_search.models.scoring.r2 import r2, spread

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


def velocity_r2_of(errors_MBWC: Tensor, val: VelocityTargets) -> float:
    """R2 on val of decoded velocity, averaged over decoders, from their ``velocity_errors``."""
    scores = []
    for errors_BWC, trials_B in zip(errors_MBWC, val.decoders_BM.T, strict=True):
        known_BW = _known(val.velocity_BWC, trials_B)
        scores.append(r2(errors_BWC[known_BW].square().sum(dim=0), spread(val.velocity_BWC[known_BW])))
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
        spread_FC = torch.stack([spread(train.velocity_BWC[fold_BW == fold]) for fold in range(FOLDS)])
        errors_QC = _best_ridge(products_FQQ, spread_FC)
        runs = _runs([val_rates_BWN], val.velocity_BWC, origin_Q)
        errors_BWC = torch.cat([columns_BWQ @ errors_QC for _, columns_BWQ in runs])
        unknown_BW = ~_known(val.velocity_BWC, trials_B)
        errors_MBWC.append(errors_BWC.masked_fill(unknown_BW[..., None], torch.nan))
    return torch.stack(errors_MBWC)


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
        scores.append(r2(torch.einsum("akc,kl,alc->ac", errors_AQC, products_QQ, errors_AQC), spread_C))
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
