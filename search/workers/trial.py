"""Runs one trial: samples its settings, trains, reports scores, and prunes or completes it."""

import dataclasses
import logging
import math
import time
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

import torch
from torch import Tensor

from nlb_search.models.architecture.architectures import Architecture, parse_architecture
from nlb_search.models.architecture.network import predict
from nlb_search.models.architecture.own.model import OwnModel
from nlb_search.models.errors import DivergedError, InterruptedTrainingError
from nlb_search.models.hyperparameters import TRAINING, Hyperparameters
from nlb_search.models.scoring.bits_per_spike import Gains
from nlb_search.models.tensors import Counts
from nlb_search.models.training.state import Best, Progress, State, Training
from nlb_search.models.training.trainer import Val
from nlb_search.search.publishing.trial_pictures import attach_pictures
from nlb_search.search.sampling.ranges import ARCHITECTURE
from nlb_search.search.sampling.space import sample
from nlb_search.search.scoring.bootstrap import range_of, resampled_co_bps
from nlb_search.search.scoring.metrics import metrics_of
from nlb_search.search.scoring.saved_networks import save_network
from nlb_search.search.scoring.targets import Targets
from nlb_search.search.study.specification import SearchSpec, versions_here
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


TrialRun = Generator[Training, Progress, None]
"""A running trial, as a generator: it yields its training to have it trained to the next evaluation, receives the
resulting ``Progress``, and returns when the trial has finished. Errors of the training are thrown into it.
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


def run_trial(claim: Claim, context: TrialContext) -> TrialRun:
    """Run a trial: train it, report every score, and finish it as complete or pruned, or release it if asked to stop.

    A worker that runs several trials side by side trains them together; nothing here depends on that. A training that
    diverges ends as pruned if it had a score. Other errors are raised, LostTrialError among them; the trial is then
    still in the state RUNNING.
    """
    values = claim.sample(lambda trial: sample(trial, context.spec.space, context.spec.architectures))
    architecture, hyper = settings_of(values)
    seed = context.spec.trial_seed(claim.number)

    def new_training() -> Training:
        return Training(architecture, hyper, context.spec.plan, context.train, seed, context.device)

    # The content hash covers the settings of the recording, of which a later version may have more.
    spec = context.spec.model_dump(mode="json", exclude={"versions", "definitions", "trials", "recording"})
    identity = {"settings": values, "seed": seed, "spec": spec}
    training, last = _restored(new_training, claim, context, identity) or (new_training(), None)
    claim.annotate(
        architecture=str(architecture),
        n_parameters=training.network.n_parameters,
        device=_name(context.device),
        **{VERSION_KEY: versions_here()["nlb-search"]},
    )
    try:
        # The earlier worker may have died between saving and reporting. A score reported twice counts once.
        pruned = last is not None and claim.report(last.co_bps, last.epoch)
        outcome = Outcome.PRUNED if pruned else (yield from _train(training, claim, context, identity))
    except DivergedError as error:
        if training.best is None:
            raise
        claim.annotate(diverged=str(error))
        outcome = Outcome.PRUNED
    match outcome:
        case Outcome.COMPLETE:
            _complete(training, claim, context, values)
        case Outcome.PRUNED:
            _prune(training, claim, context, values)
        case Outcome.STOPPED:
            claim.release()


def _train(
    training: Training, claim: Claim, context: TrialContext, identity: dict[str, Any]
) -> Generator[Training, Progress, Outcome]:
    """Train until the plan is done, the pruner stops the trial, or the worker is asked to release it.

    A worker that is asked to release the trial saves a checkpoint at the next evaluation. If that takes too long, the
    previous checkpoint remains. A StorageError, raised here or thrown in, ends the worker; the last evaluation is
    saved first.
    """
    saved, progress = time.monotonic(), None
    try:
        while not training.is_done:
            progress = yield training
            context.stop.check_launcher()
            stopped = context.stop.releases_trials and not training.is_done
            # Save before reporting: if the database is unreachable, a stopped worker must not lose the evaluation.
            if stopped or time.monotonic() - saved > CHECKPOINT_SECONDS:
                _save_running(training, progress, claim, context, identity)
                saved = time.monotonic()
            if claim.report(progress.co_bps, progress.epoch):
                return Outcome.PRUNED
            if stopped:
                return Outcome.STOPPED
    except InterruptedTrainingError:
        return Outcome.STOPPED
    except StorageError:
        if progress is not None and _save_running(training, progress, claim, context, identity):
            _log.warning("trial %d: its training is saved in %s", claim.number, context.checkpoints.folder)
        raise
    return Outcome.COMPLETE


def _complete(training: Training, claim: Claim, context: TrialContext, values: dict[str, Any]) -> None:
    """Save the best network and then complete the trial, in this order: a complete trial must have its network."""
    best = training.best
    if best is None or not math.isfinite(best.progress.co_bps):
        raise DivergedError("the training ended without a finite score")
    rates_BTN, gains = _save_best(training, best, claim, context, values)
    forward = {} if best.progress.fp_bps is None else {"fp_bps": best.progress.fp_bps}
    claim.annotate(best_epoch=best.progress.epoch, **forward)
    claim.annotate(**metrics_of(training.network, context.train, rates_BTN, context.targets))
    claim.annotate(**_range_attributes(gains))
    # Before the trial is complete: Optuna attaches no artifacts to finished trials.
    folder, bin_ms = context.checkpoints.folder, context.spec.bin_ms
    attach_pictures(claim.trial, folder, claim.scores, context.val.heldout.spikes, _heldout(rates_BTN, context), bin_ms)
    claim.complete(best.progress.co_bps)
    context.checkpoints.forget_running(claim.number)


def _prune(training: Training, claim: Claim, context: TrialContext, values: dict[str, Any]) -> None:
    """Save the best network, which may be averaged with others, and prune the trial."""
    if training.best is not None:
        _save_best(training, training.best, claim, context, values)
    claim.prune()
    context.checkpoints.forget_running(claim.number)


def _save_best(
    training: Training, best: Best, claim: Claim, context: TrialContext, values: dict[str, Any]
) -> tuple[Tensor, Gains]:
    """Save the best network; returns its rates on val and its gains over the null model there."""
    facts = {
        "settings": values,
        "sizes": dataclasses.asdict(context.train.sizes),
        "dataset": context.spec.dataset,
        "bin_ms": context.spec.bin_ms,
        "content_hash": context.spec.content_hash,
        "progress": dataclasses.asdict(best.progress),
    }
    claim.check_held()
    training.network.load_state_dict(best.weights)
    rates_BTN = predict(training.network, context.val.heldin_BWI)
    gains = context.val.heldout.gains(_heldout(rates_BTN, context))
    save_network(context.checkpoints.best(claim.number), best.weights, gains, facts)
    return rates_BTN, gains


def _heldout(rates_BTN: Tensor, context: TrialContext) -> Tensor:
    """The rates of the held-out neurons in the window."""
    sizes = context.train.sizes
    return rates_BTN[:, : sizes.n_window, sizes.n_heldin :]


def _range_attributes(gains: Gains) -> dict[str, float]:
    """Confidence interval of the trial's co-bps as user attributes; empty if val has too few spikes for one."""
    co_bps = range_of(resampled_co_bps(gains.gain_B.cpu().numpy(), gains.spikes_B.cpu().numpy()))
    bounds = {"co_bps_low": co_bps.low, "co_bps_high": co_bps.high}
    return bounds if all(map(math.isfinite, bounds.values())) else {}


def _restored(
    new_training: Callable[[], Training], claim: Claim, context: TrialContext, identity: dict[str, Any]
) -> tuple[Training, Progress] | None:
    """Load the training and its last evaluation from an earlier worker's checkpoint; None without a usable checkpoint.

    A checkpoint that is damaged or belongs to another study of the same name is ignored, and the trial starts from
    scratch.
    """
    try:
        checkpoint = load_checkpoint(context.checkpoints.running(claim.number))
        if not _is_same_trial(checkpoint.facts["identity"], identity):
            raise StorageError("its checkpoint belongs to another study")
        training = new_training()
        training.restore(State(checkpoint.tensors, checkpoint.facts["training"]))
        progress = Progress(**checkpoint.facts["progress"])
    except FileNotFoundError:
        return None
    except (StorageError, KeyError, ValueError, RuntimeError) as error:
        _log.warning("trial %d starts from scratch: %s", claim.number, error)
        return None
    _log.info("trial %d resumes from epoch %d", claim.number, training.epoch)
    return training, progress


def _is_same_trial(saved: dict[str, Any], identity: dict[str, Any]) -> bool:
    """Whether a checkpoint's identity is this one. Version 0.4.0 saved more of the specification, which is ignored."""
    return saved | {"spec": {name: saved["spec"].get(name) for name in identity["spec"]}} == identity


def _save_running(
    training: Training, progress: Progress, claim: Claim, context: TrialContext, identity: dict[str, Any]
) -> bool:
    """Save a checkpoint of the training. If the disk is full, return False: the trial continues without it."""
    state = training.state()
    facts = {"identity": identity, "training": state.facts, "progress": dataclasses.asdict(progress)}
    try:
        save_checkpoint(context.checkpoints.running(claim.number), Checkpoint(state.tensors, facts))
    except StorageError as error:
        _log.warning("trial %d continues without a checkpoint: %s", claim.number, error)
        return False
    return True


def _name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
