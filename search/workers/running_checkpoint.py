"""Checkpoints of a running trial, from which another worker resumes it."""

import dataclasses
import logging
from collections.abc import Callable
from typing import Any

from nlb_search.models.training.replicates import Replicates
from nlb_search.models.training.training import Evaluation, State
from nlb_search.search.study.specification import SearchSpec
from nlb_search.search.workers.trial_context import TrialContext
from nlb_search.storage.checkpoints import Checkpoint, load_checkpoint, save_checkpoint
from nlb_search.storage.claims.claim import Claim
from nlb_search.storage.errors import StorageError

_log = logging.getLogger(__name__)


def restored(
    new: Callable[[], Replicates], claim: Claim, context: TrialContext, identity: dict[str, Any]
) -> tuple[Replicates, Evaluation] | None:
    """Load the trainings and their last evaluation from an earlier worker's checkpoint; None without a usable one.

    A checkpoint that is damaged or belongs to another study of the same name is ignored, and the trial starts from
    scratch.
    """
    try:
        checkpoint = load_checkpoint(context.checkpoints.running(claim.number))
        if not _is_same_trial(checkpoint.metadata["identity"], identity):
            raise StorageError("its checkpoint belongs to another study")
        replicates = new()
        replicates.restore(State(checkpoint.tensors, checkpoint.metadata["training"]))
        evaluation = Evaluation(**checkpoint.metadata["progress"])
    except FileNotFoundError:
        return None
    except (StorageError, KeyError, ValueError, RuntimeError) as error:
        _log.warning("trial %d starts from scratch: %s", claim.number, error)
        return None
    _log.info("trial %d resumes from epoch %d", claim.number, replicates.epoch)
    return replicates, evaluation


def _is_same_trial(saved: dict[str, Any], identity: dict[str, Any]) -> bool:
    """Whether a checkpoint's identity is this one.

    Earlier versions saved other fields of the specification: more of them are ignored, and missing ones have their
    default values.
    """
    defaults = {name: field.default for name, field in SearchSpec.model_fields.items()}
    return saved | {"spec": {name: saved["spec"].get(name, defaults[name]) for name in identity["spec"]}} == identity


def save_running(
    replicates: Replicates, evaluation: Evaluation, claim: Claim, context: TrialContext, identity: dict[str, Any]
) -> bool:
    """Save a checkpoint of the trainings. If the disk is full, return False: the trial continues without it."""
    state = replicates.state()
    metadata = {"identity": identity, "training": state.metadata, "progress": dataclasses.asdict(evaluation)}
    try:
        save_checkpoint(context.checkpoints.running(claim.number), Checkpoint(state.tensors, metadata))
    except StorageError as error:
        _log.warning("trial %d continues without a checkpoint: %s", claim.number, error)
        return False
    return True
