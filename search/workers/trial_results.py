"""Finishes a trial: saves its best networks, scores them, and completes or prunes the trial."""

import dataclasses
import math
from statistics import stdev
from typing import Any

import torch
from torch import Tensor

from nlb_search.models.architecture.network import predict
from nlb_search.models.errors import DivergedError
from nlb_search.models.scoring.bits_per_spike import Gains, mean_gains
from nlb_search.models.training.replicates import Replicates
from nlb_search.search.networks.saved_networks import save_networks
from nlb_search.search.objectives import values_of
from nlb_search.search.publishing.predictions import Predictions
from nlb_search.search.publishing.trial_pictures import attach_pictures
from nlb_search.search.scoring.bootstrap import percentile_interval, resampled_co_bps
from nlb_search.search.scoring.trial_metrics import (
    decoded_velocity_errors,
    mean_metrics,
    mean_velocity_errors,
    metrics_of,
)
from nlb_search.search.trials.trial_scores import SCORE_KEY
from nlb_search.search.workers.trial_context import TrialContext
from nlb_search.storage.claims.claim import Claim


def complete_trial(replicates: Replicates, claim: Claim, context: TrialContext, values: dict[str, Any]) -> None:
    """Save the best networks and then complete the trial, in this order: a complete trial must have its networks."""
    evaluation = replicates.best[0].evaluation if replicates.best else None
    if evaluation is None or not math.isfinite(evaluation.co_bps):
        raise DivergedError("the training ended without a finite score")
    rates_KBTN, gains_K = _save_best(replicates, claim, context, values)
    forward = {} if evaluation.fp_bps is None else {"fp_bps": evaluation.fp_bps}
    own = {SCORE_KEY: evaluation.co_bps} if context.spec.has_own_objectives else {}
    claim.set_user_attrs(best_epoch=evaluation.epoch, **own, **forward)
    rates_KBWN, targets = rates_KBTN[:, :, : context.train.sizes.n_window], context.targets
    errors_K = [
        decoded_velocity_errors(one.network, context.train, rates_BWN, targets)
        for one, rates_BWN in zip(replicates.trainings, rates_KBWN, strict=True)
    ]
    metrics_K = [
        metrics_of(rates_BWN, errors_MBWC, targets) for rates_BWN, errors_MBWC in zip(rates_KBWN, errors_K, strict=True)
    ]
    metrics = mean_metrics(metrics_K)
    claim.set_user_attrs(**metrics)
    scores = {"co_bps": evaluation.co_bps, "n_parameters": replicates.trainings[0].network.n_parameters}
    of_objectives = values_of(context.spec.objectives, scores | forward | metrics)
    claim.set_user_attrs(**_range_attributes(mean_gains(gains_K)), **_spread_attributes(gains_K))
    # Before the trial is complete: Optuna attaches no artifacts to finished trials.
    predictions = Predictions(
        number=claim.number,
        rates_BWN=rates_KBWN.mean(dim=0),
        spikes_BWN=context.val.heldout.observed,
        targets=targets,
        velocity_errors_MBWC=mean_velocity_errors(errors_K),
        bin_ms=context.spec.bin_ms,
    )
    attach_pictures(claim, context.checkpoints.folder, evaluation.co_bps, predictions)
    claim.complete(*of_objectives)
    context.checkpoints.forget_running(claim.number)


def prune_trial(replicates: Replicates, claim: Claim, context: TrialContext, values: dict[str, Any]) -> None:
    """Save the best networks, so that ensembles can use them, and prune the trial."""
    if replicates.best:
        _save_best(replicates, claim, context, values)
    claim.prune()
    context.checkpoints.forget_running(claim.number)


def _save_best(
    replicates: Replicates, claim: Claim, context: TrialContext, values: dict[str, Any]
) -> tuple[Tensor, list[Gains]]:
    """Save the best networks; returns the rates on val of each, and its gains over the null model there."""
    metadata = {
        "settings": values,
        "sizes": dataclasses.asdict(context.train.sizes),
        "dataset": context.spec.dataset,
        "bin_ms": context.spec.bin_ms,
        "content_hash": context.spec.content_hash,
        "progress": dataclasses.asdict(replicates.best[0].evaluation),
    }
    claim.check_held()
    for one, best in zip(replicates.trainings, replicates.best, strict=True):
        one.network.load_state_dict(best.weights)
    rates_KBTN = torch.stack([predict(one.network, context.val.heldin_BWI) for one in replicates.trainings])
    gains_K = [context.val.heldout.gains(_heldout(rates_BTN, context)) for rates_BTN in rates_KBTN]
    weights_K = [best.weights for best in replicates.best]
    mean_BTN = _heldout(rates_KBTN.mean(dim=0), context)
    save_networks(context.checkpoints.best(claim.number), weights_K, mean_gains(gains_K), mean_BTN, metadata)
    return rates_KBTN, gains_K


def _heldout(rates_BTN: Tensor, context: TrialContext) -> Tensor:
    """The rates of the held-out neurons in the window."""
    sizes = context.train.sizes
    return rates_BTN[:, : sizes.n_window, sizes.n_heldin :]


def _range_attributes(gains: Gains) -> dict[str, float]:
    """Confidence interval of the trial's co-bps as user attributes; empty if val has too few spikes for one."""
    co_bps = percentile_interval(resampled_co_bps(gains.gain_B.cpu().numpy(), gains.spikes_B.cpu().numpy()))
    bounds = {"co_bps_low": co_bps.low, "co_bps_high": co_bps.high}
    return bounds if all(map(math.isfinite, bounds.values())) else {}


def _spread_attributes(gains_K: list[Gains]) -> dict[str, Any]:
    """co-bps of each network and their standard deviation as user attributes; empty for a single network."""
    co_bps_K = [gains.bits_per_spike.item() for gains in gains_K]
    return {"co_bps_seeds": co_bps_K, "co_bps_std": stdev(co_bps_K)} if len(co_bps_K) > 1 else {}
