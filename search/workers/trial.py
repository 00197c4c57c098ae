"""Runs one trial: samples its settings, trains, reports scores, and prunes or completes it."""

import dataclasses
import logging
import math
import time
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from statistics import stdev
from typing import Any

import torch
from torch import Tensor

from nlb_search.models.architecture.architectures import Architecture, parse_architecture
from nlb_search.models.architecture.network import predict
from nlb_search.models.architecture.own.model import OwnModel
from nlb_search.models.errors import DivergedError, InterruptedTrainingError
from nlb_search.models.hyperparameters import TRAINING, Hyperparameters
from nlb_search.models.scoring.bits_per_spike import Gains, mean_gains
from nlb_search.models.tensors import Counts
from nlb_search.models.training.replicates import Replicates
from nlb_search.models.training.state import Progress, State, Training
from nlb_search.models.training.trainer import Val
from nlb_search.search.objectives import values_of
from nlb_search.search.publishing.predictions import Predictions
from nlb_search.search.publishing.trial_pictures import attach_pictures
from nlb_search.search.sampling.ranges import ARCHITECTURE
from nlb_search.search.sampling.space import sample, trained_chain
from nlb_search.search.scoring.bootstrap import range_of, resampled_co_bps
from nlb_search.search.scoring.metrics import decoded_velocity_errors, mean_metrics, mean_velocity_errors, metrics_of
from nlb_search.search.scoring.saved_networks import save_networks
from nlb_search.search.scoring.targets import Targets
from nlb_search.search.study.specification import SearchSpec, versions_here
from nlb_search.search.study.status import DEVICE_KEY, DIVERGED_KEY, MEMORY_KEY
from nlb_search.search.study.trial_scores import SCORE_KEY
from nlb_search.search.workers.memory import peak_memory_mb
from nlb_search.search.workers.shutdown import Stop
from nlb_search.storage.checkpoints import Checkpoint, Checkpoints, load_checkpoint, save_checkpoint
from nlb_search.storage.claims.claim import Claim
from nlb_search.storage.errors import StorageError

VERSION_KEY = "version"
"""User attribute of the trial that stores the version of nlb-search that ran it."""

CHECKPOINT_SECONDS = 15
"""Time between checkpoints. A checkpoint is written at the next evaluation, so a killed worker loses little more."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrialContext:
    """What a worker needs for every trial of its study: specification, recording on the device, checkpoints."""

    spec: SearchSpec
    train: Counts
    val: Val
    targets: Targets
    checkpoints: Checkpoints
    device: torch.device
    stop: Stop = field(default_factory=Stop)


TrialRun = Generator[Replicates, Progress, None]
"""A running trial, as a generator: it yields its trainings to have them trained to the next evaluation, receives the
resulting ``Progress``, and returns when the trial has finished. Errors of a training are thrown into it.
"""


class Outcome(Enum):
    """How the training of a trial ended."""

    COMPLETE = "complete"
    PRUNED = "pruned"
    STOPPED = "stopped"


def settings_of(values: Mapping[str, Any]) -> tuple[Architecture, Hyperparameters]:
    """Split a trial's settings into its architecture and its hyperparameters."""
    architecture = parse_architecture(values[ARCHITECTURE])
    others = {name: value for name, value in values.items() if name != ARCHITECTURE}
    if not isinstance(architecture, OwnModel):
        return architecture, Hyperparameters(**others)
    own = {name.removeprefix(architecture.prefix): others.pop(name) for name in list(others) if name not in TRAINING}
    return architecture, Hyperparameters(**others, own=own)


def replicates_of(
    values: Mapping[str, Any], number: int, spec: SearchSpec, train: Counts, device: torch.device
) -> Replicates:
    """The trainings of trial ``number`` of a study with these settings, one for each of the study's ``seeds``."""
    architecture, hyper = settings_of(values)
    seeds = [spec.network_seed(number, repeat) for repeat in range(spec.seeds)]
    return Replicates([Training(architecture, hyper, spec.plan, train, seed, device) for seed in seeds])


def run_trial(claim: Claim, context: TrialContext) -> TrialRun:
    """Run a trial: train it, report every score, and finish it as complete or pruned, or release it if asked to stop.

    A worker that runs several trials side by side trains them together; nothing here depends on that. A training that
    diverges ends as pruned if it had a score, or as complete if the study has own objectives. Other errors are raised,
    LostTrialError among them; the trial is then still in the state RUNNING.
    """
    values = claim.sample(lambda trial: sample(trial, context.spec.space, context.spec.architectures))

    def new() -> Replicates:
        return replicates_of(values, claim.number, context.spec, context.train, context.device)

    # The content hash covers the settings of the recording, of which a later version may have more.
    changeable = {"versions", "definitions", "trials", "budget_hours", "keep", "recording", "objectives"}
    spec = context.spec.model_dump(mode="json", exclude=changeable)
    identity = {"settings": values, "seed": context.spec.trial_seed(claim.number), "spec": spec}
    replicates, last = _restored(new, claim, context, identity) or (new(), None)
    claim.annotate(
        architecture=trained_chain(values),
        n_parameters=replicates.trainings[0].network.n_parameters,
        **{
            DEVICE_KEY: _name(context.device),
            MEMORY_KEY: peak_memory_mb(context.device),
            VERSION_KEY: versions_here()["nlb-search"],
        },
    )
    try:
        # The earlier worker may have died between saving and reporting. A score reported twice counts once.
        pruned = last is not None and claim.report(last.co_bps, last.epoch)
        outcome = Outcome.PRUNED if pruned else (yield from _train(replicates, claim, context, identity))
    except DivergedError as error:
        if not replicates.best:
            raise
        claim.annotate(**{DIVERGED_KEY: str(error)})
        # Optuna's samplers cannot learn from a pruned trial if there are several objectives.
        outcome = Outcome.COMPLETE if context.spec.has_own_objectives else Outcome.PRUNED
    match outcome:
        case Outcome.COMPLETE:
            _complete(replicates, claim, context, values)
        case Outcome.PRUNED:
            _prune(replicates, claim, context, values)
        case Outcome.STOPPED:
            claim.release()


def _train(
    replicates: Replicates, claim: Claim, context: TrialContext, identity: dict[str, Any]
) -> Generator[Replicates, Progress, Outcome]:
    """Train until the plan is done, the pruner stops the trial, or the worker is asked to release it.

    A worker that is asked to release the trial saves a checkpoint at the next evaluation. If that takes too long, the
    previous checkpoint remains. A StorageError, raised here or thrown in, ends the worker; the last evaluation is
    saved first.
    """
    saved, progress = time.monotonic(), None
    try:
        while not replicates.is_done:
            progress = yield replicates
            context.stop.check_launcher()
            stopped = context.stop.releases_trials and not replicates.is_done
            # Save before reporting: if the database is unreachable, a stopped worker must not lose the evaluation.
            if stopped or time.monotonic() - saved > CHECKPOINT_SECONDS:
                _save_running(replicates, progress, claim, context, identity)
                saved = time.monotonic()
            if claim.report(progress.co_bps, progress.epoch):
                return Outcome.PRUNED
            if stopped:
                return Outcome.STOPPED
    except InterruptedTrainingError:
        return Outcome.STOPPED
    except StorageError:
        if progress is not None and _save_running(replicates, progress, claim, context, identity):
            _log.warning("trial %d: its training is saved in %s", claim.number, context.checkpoints.folder)
        raise
    return Outcome.COMPLETE


def _complete(replicates: Replicates, claim: Claim, context: TrialContext, values: dict[str, Any]) -> None:
    """Save the best networks and then complete the trial, in this order: a complete trial must have its networks."""
    progress = replicates.best[0].progress if replicates.best else None
    if progress is None or not math.isfinite(progress.co_bps):
        raise DivergedError("the training ended without a finite score")
    rates_KBTN, gains_K = _save_best(replicates, claim, context, values)
    forward = {} if progress.fp_bps is None else {"fp_bps": progress.fp_bps}
    own = {SCORE_KEY: progress.co_bps} if context.spec.has_own_objectives else {}
    claim.annotate(best_epoch=progress.epoch, **own, **forward)
    rates_KBWN, targets = rates_KBTN[:, :, : context.train.sizes.n_window], context.targets
    errors_K = [
        decoded_velocity_errors(one.network, context.train, rates_BWN, targets)
        for one, rates_BWN in zip(replicates.trainings, rates_KBWN, strict=True)
    ]
    metrics_K = [
        metrics_of(rates_BWN, errors_MBWC, targets) for rates_BWN, errors_MBWC in zip(rates_KBWN, errors_K, strict=True)
    ]
    metrics = mean_metrics(metrics_K)
    claim.annotate(**metrics)
    scores = {"co_bps": progress.co_bps, "n_parameters": replicates.trainings[0].network.n_parameters}
    of_objectives = values_of(context.spec.objectives, scores | forward | metrics)
    claim.annotate(**_range_attributes(mean_gains(gains_K)), **_spread_attributes(gains_K))
    # Before the trial is complete: Optuna attaches no artifacts to finished trials.
    predictions = Predictions(
        number=claim.number,
        rates_BWN=rates_KBWN.mean(dim=0),
        spikes_BWN=context.val.heldout.observed,
        targets=targets,
        velocity_errors_MBWC=mean_velocity_errors(errors_K),
        bin_ms=context.spec.bin_ms,
    )
    attach_pictures(claim, context.checkpoints.folder, progress.co_bps, predictions)
    claim.complete(*of_objectives)
    context.checkpoints.forget_running(claim.number)


def _prune(replicates: Replicates, claim: Claim, context: TrialContext, values: dict[str, Any]) -> None:
    """Save the best networks, which may be averaged with others, and prune the trial."""
    if replicates.best:
        _save_best(replicates, claim, context, values)
    claim.prune()
    context.checkpoints.forget_running(claim.number)


def _save_best(
    replicates: Replicates, claim: Claim, context: TrialContext, values: dict[str, Any]
) -> tuple[Tensor, list[Gains]]:
    """Save the best networks; returns the rates on val of each, and its gains over the null model there."""
    facts = {
        "settings": values,
        "sizes": dataclasses.asdict(context.train.sizes),
        "dataset": context.spec.dataset,
        "bin_ms": context.spec.bin_ms,
        "content_hash": context.spec.content_hash,
        "progress": dataclasses.asdict(replicates.best[0].progress),
    }
    claim.check_held()
    for one, best in zip(replicates.trainings, replicates.best, strict=True):
        one.network.load_state_dict(best.weights)
    rates_KBTN = torch.stack([predict(one.network, context.val.heldin_BWI) for one in replicates.trainings])
    gains_K = [context.val.heldout.gains(_heldout(rates_BTN, context)) for rates_BTN in rates_KBTN]
    weights_K = [best.weights for best in replicates.best]
    save_networks(context.checkpoints.best(claim.number), weights_K, mean_gains(gains_K), facts)
    return rates_KBTN, gains_K


def _heldout(rates_BTN: Tensor, context: TrialContext) -> Tensor:
    """The rates of the held-out neurons in the window."""
    sizes = context.train.sizes
    return rates_BTN[:, : sizes.n_window, sizes.n_heldin :]


def _range_attributes(gains: Gains) -> dict[str, float]:
    """Confidence interval of the trial's co-bps as user attributes; empty if val has too few spikes for one."""
    co_bps = range_of(resampled_co_bps(gains.gain_B.cpu().numpy(), gains.spikes_B.cpu().numpy()))
    bounds = {"co_bps_low": co_bps.low, "co_bps_high": co_bps.high}
    return bounds if all(map(math.isfinite, bounds.values())) else {}


def _spread_attributes(gains_K: list[Gains]) -> dict[str, Any]:
    """co-bps of each network and their standard deviation as user attributes; empty for a single network."""
    co_bps_K = [gains.bits_per_spike.item() for gains in gains_K]
    return {"co_bps_seeds": co_bps_K, "co_bps_std": stdev(co_bps_K)} if len(co_bps_K) > 1 else {}


def _restored(
    new: Callable[[], Replicates], claim: Claim, context: TrialContext, identity: dict[str, Any]
) -> tuple[Replicates, Progress] | None:
    """Load the trainings and their last evaluation from an earlier worker's checkpoint; None without a usable one.

    A checkpoint that is damaged or belongs to another study of the same name is ignored, and the trial starts from
    scratch.
    """
    try:
        checkpoint = load_checkpoint(context.checkpoints.running(claim.number))
        if not _is_same_trial(checkpoint.facts["identity"], identity):
            raise StorageError("its checkpoint belongs to another study")
        replicates = new()
        replicates.restore(State(checkpoint.tensors, checkpoint.facts["training"]))
        progress = Progress(**checkpoint.facts["progress"])
    except FileNotFoundError:
        return None
    except (StorageError, KeyError, ValueError, RuntimeError) as error:
        _log.warning("trial %d starts from scratch: %s", claim.number, error)
        return None
    _log.info("trial %d resumes from epoch %d", claim.number, replicates.epoch)
    return replicates, progress


def _is_same_trial(saved: dict[str, Any], identity: dict[str, Any]) -> bool:
    """Whether a checkpoint's identity is this one.

    Earlier versions saved other fields of the specification: more of them are ignored, and missing ones have their
    default values.
    """
    defaults = {name: field.default for name, field in SearchSpec.model_fields.items()}
    return saved | {"spec": {name: saved["spec"].get(name, defaults[name]) for name in identity["spec"]}} == identity


def _save_running(
    replicates: Replicates, progress: Progress, claim: Claim, context: TrialContext, identity: dict[str, Any]
) -> bool:
    """Save a checkpoint of the trainings. If the disk is full, return False: the trial continues without it."""
    state = replicates.state()
    facts = {"identity": identity, "training": state.facts, "progress": dataclasses.asdict(progress)}
    try:
        save_checkpoint(context.checkpoints.running(claim.number), Checkpoint(state.tensors, facts))
    except StorageError as error:
        _log.warning("trial %d continues without a checkpoint: %s", claim.number, error)
        return False
    return True


def _name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
