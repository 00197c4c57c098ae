"""Runs one trial: samples its settings, trains, reports scores, and prunes or completes it."""

import logging
import time
from collections.abc import Generator
from enum import Enum
from typing import Any

import torch

from nlb_search.models.errors import DivergedError, InterruptedTrainingError
from nlb_search.models.training.replicates import Replicates
from nlb_search.models.training.training import Evaluation
from nlb_search.search.sampling.spaces.trial_parameters import sample, trained_chain
from nlb_search.search.study.specification import installed_versions
from nlb_search.search.trials.trial_attributes import DEVICE_KEY, DIVERGED_KEY, MEMORY_KEY, VERSION_KEY
from nlb_search.search.workers.memory import peak_memory_mb
from nlb_search.search.workers.running_checkpoint import restored, save_running
from nlb_search.search.workers.trial_context import TrialContext
from nlb_search.search.workers.trial_replicates import build_replicates
from nlb_search.search.workers.trial_results import complete_trial, prune_trial
from nlb_search.storage.claims.claim import Claim
from nlb_search.storage.errors import StorageError

CHECKPOINT_SECONDS = 15
"""Time between checkpoints. A checkpoint is written at the next evaluation, so a killed worker loses little more."""

_log = logging.getLogger(__name__)

TrialRun = Generator[Replicates, Evaluation, None]
"""A running trial, as a generator: it yields its trainings to have them trained to the next evaluation, receives the
resulting ``Evaluation``, and returns when the trial has finished. Errors of a training are thrown into it.
"""


class Outcome(Enum):
    """How the training of a trial ended."""

    COMPLETE = "complete"
    PRUNED = "pruned"
    STOPPED = "stopped"


def run_trial(claim: Claim, context: TrialContext) -> TrialRun:
    """Run a trial: train it, report every score, and finish it as complete or pruned, or release it if asked to stop.

    A worker that runs several trials side by side trains them together; nothing here depends on that. A training that
    diverges ends as pruned if it had a score, or as complete if the study has own objectives. Other errors are raised,
    LostTrialError among them; the trial is then still in the state RUNNING.
    """
    values = claim.sample(lambda trial: sample(trial, context.spec.space, context.spec.architectures))

    def new() -> Replicates:
        return build_replicates(values, claim.number, context.spec, context.train, context.device)

    # The content hash covers the settings of the recording, of which a later version may have more.
    changeable = {"versions", "definitions", "trials", "budget_hours", "keep", "recording", "objectives"}
    spec = context.spec.model_dump(mode="json", exclude=changeable)
    identity = {"settings": values, "seed": context.spec.trial_seed(claim.number), "spec": spec}
    replicates, last = restored(new, claim, context, identity) or (new(), None)
    claim.set_user_attrs(
        architecture=trained_chain(values),
        n_parameters=replicates.trainings[0].network.n_parameters,
        **{
            DEVICE_KEY: _name(context.device),
            MEMORY_KEY: peak_memory_mb(context.device),
            VERSION_KEY: installed_versions()["nlb-search"],
        },
    )
    try:
        # The earlier worker may have died between saving and reporting. A score reported twice counts once.
        pruned = last is not None and claim.report(last.co_bps, last.epoch)
        outcome = Outcome.PRUNED if pruned else (yield from _train(replicates, claim, context, identity))
    except DivergedError as error:
        if not replicates.best:
            raise
        claim.set_user_attrs(**{DIVERGED_KEY: str(error)})
        # Optuna's samplers cannot learn from a pruned trial if there are several objectives.
        outcome = Outcome.COMPLETE if context.spec.has_own_objectives else Outcome.PRUNED
    match outcome:
        case Outcome.COMPLETE:
            complete_trial(replicates, claim, context, values)
        case Outcome.PRUNED:
            prune_trial(replicates, claim, context, values)
        case Outcome.STOPPED:
            claim.release()


def _train(
    replicates: Replicates, claim: Claim, context: TrialContext, identity: dict[str, Any]
) -> Generator[Replicates, Evaluation, Outcome]:
    """Train until the plan is done, the pruner stops the trial, or the worker is asked to release it.

    A worker that is asked to release the trial saves a checkpoint at the next evaluation. If that takes too long, the
    previous checkpoint remains. A StorageError, raised here or thrown in, ends the worker; the last evaluation is
    saved first.
    """
    saved, evaluation = time.monotonic(), None
    try:
        while not replicates.is_done:
            evaluation = yield replicates
            context.stop.check_launcher()
            stopped = context.stop.releases_trials and not replicates.is_done
            # Save before reporting: if the database is unreachable, a stopped worker must not lose the evaluation.
            if stopped or time.monotonic() - saved > CHECKPOINT_SECONDS:
                save_running(replicates, evaluation, claim, context, identity)
                saved = time.monotonic()
            if claim.report(evaluation.co_bps, evaluation.epoch):
                return Outcome.PRUNED
            if stopped:
                return Outcome.STOPPED
    except InterruptedTrainingError:
        return Outcome.STOPPED
    except StorageError:
        if evaluation is not None and save_running(replicates, evaluation, claim, context, identity):
            _log.warning("trial %d: its training is saved in %s", claim.number, context.checkpoints.folder)
        raise
    return Outcome.COMPLETE


def _name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
