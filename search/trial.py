"""One trial, from its settings to its score: the only place where a trial's life can be read from start to end."""

import dataclasses
import logging
import math
import time
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

import torch

from models.chain import parse_chain
from models.errors import DivergedError
from models.hyperparameters import Hyperparameters
from models.tensors import Counts
from models.training import State, Training, fit
from search.space import ARCHITECTURE, sample
from search.spec import SearchSpec
from search.stopping import Stop
from storage.checkpoints import Checkpoint, Checkpoints, load_checkpoint, save_checkpoint
from storage.claims import Claim
from storage.errors import StorageError

CHECKPOINT_SECONDS = 15
"""The most training that a killed worker loses."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Bench:
    """What a worker needs for every trial of its study: the recording's counts, on the device, and where to save."""

    spec: SearchSpec
    train: Counts
    val: Counts
    checkpoints: Checkpoints
    device: torch.device
    stop: Stop = field(default_factory=Stop)


class Ending(Enum):
    """How the training of a trial came to its end."""

    COMPLETE = "complete"
    PRUNED = "pruned"
    STOPPED = "stopped"


def settings_of(values: dict[str, Any]) -> tuple[str, Hyperparameters]:
    """The chain's text and the hyperparameters among a trial's settings."""
    return values[ARCHITECTURE], Hyperparameters(**{k: v for k, v in values.items() if k != ARCHITECTURE})


def run_trial(claim: Claim, bench: Bench) -> None:
    """Train the trial, report every score, and finish it: complete, pruned, or handed back if asked to stop.

    A training that diverges ends as pruned if it had a score. Raises what goes wrong, LostTrialError among it; the
    trial is then still running.
    """
    values = claim.sample(lambda trial: sample(trial, bench.spec.space, bench.spec.architectures))
    architecture, hyper = settings_of(values)
    seed = bench.spec.trial_seed(claim.number)
    training = Training(parse_chain(architecture), hyper, bench.spec.plan, bench.train, seed, bench.device)
    _go_on(training, claim, bench)
    claim.annotate(
        architecture=architecture,
        n_parameters=sum(parameter.numel() for parameter in training.network.parameters()),
        device=_name(bench.device),
    )
    try:
        ending = _train(training, claim, bench)
    except DivergedError as error:
        if training.best is None:
            raise
        claim.annotate(diverged=str(error))
        ending = Ending.PRUNED
    match ending:
        case Ending.COMPLETE:
            _complete(training, claim, bench, values)
        case Ending.PRUNED:
            claim.prune()
        case Ending.STOPPED:
            _save_running(training, claim, bench)
            claim.hand_back()
            return
    bench.checkpoints.running(claim.number).unlink(missing_ok=True)


def _train(training: Training, claim: Claim, bench: Bench) -> Ending:
    """Train until the plan is done, the pruner ends it, or the worker is asked to stop."""
    saved = time.monotonic()
    for progress in fit(training, bench.val):
        if claim.report(progress.co_bps, progress.epoch):
            return Ending.PRUNED
        bench.stop.check_launcher()
        if bench.stop.is_set() and training.epoch < training.plan.epochs:
            return Ending.STOPPED
        if time.monotonic() - saved > CHECKPOINT_SECONDS:
            _save_running(training, claim, bench)
            saved = time.monotonic()
    return Ending.COMPLETE


def _complete(training: Training, claim: Claim, bench: Bench, values: dict[str, Any]) -> None:
    """Keep the best network, then finish the trial with its score: never the other way round."""
    best = training.best
    if best is None or not math.isfinite(best.progress.co_bps):
        raise DivergedError("the training ended without a score that is finite")
    facts = {
        "settings": values,
        "sizes": dataclasses.asdict(bench.train.sizes),
        "dataset": bench.spec.dataset,
        "bin_ms": bench.spec.bin_ms,
        "content_hash": bench.spec.content_hash,
        "progress": dataclasses.asdict(best.progress),
    }
    weights = {name: tensor.cpu() for name, tensor in best.weights.items()}
    save_checkpoint(bench.checkpoints.best(claim.number), Checkpoint(weights, facts))
    claim.annotate(best_epoch=best.progress.epoch, fp_bps=best.progress.fp_bps)
    claim.complete(best.progress.co_bps)


def _go_on(training: Training, claim: Claim, bench: Bench) -> None:
    """Restore what an earlier worker of this trial saved; a damaged checkpoint only costs its training again."""
    try:
        checkpoint = load_checkpoint(bench.checkpoints.running(claim.number))
        training.restore(State(checkpoint.tensors, checkpoint.facts))
    except FileNotFoundError:
        return
    except (StorageError, KeyError, ValueError, RuntimeError) as error:
        _log.warning("trial %d starts anew: %s", claim.number, error)
        return
    _log.info("trial %d goes on from epoch %d", claim.number, training.epoch)


def _save_running(training: Training, claim: Claim, bench: Bench) -> None:
    """Save where the training is. A full disk costs the chance to go on from here, not the trial."""
    state = training.state()
    try:
        save_checkpoint(bench.checkpoints.running(claim.number), Checkpoint(state.tensors, state.facts))
    except StorageError as error:
        _log.warning("trial %d goes on without a checkpoint: %s", claim.number, error)


def _name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
