"""Retraining one network on train + val, with checkpoints."""

import logging
import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path

from nlb_search.data.opening import open_recording
from nlb_search.data.own.recording_settings import RecordingSettings
from nlb_search.models.architecture.network import Network, predict
from nlb_search.models.errors import DivergedError
from nlb_search.models.scoring.bits_per_spike import co_bps
from nlb_search.models.tensors import Counts
from nlb_search.models.training.trainer import train_through
from nlb_search.models.training.training import State, Training
from nlb_search.search.ensembles.refit_job import RefitJob, stored
from nlb_search.search.recording_tensors import counts_of
from nlb_search.search.workers.devices import training_device
from nlb_search.search.workers.trial import CHECKPOINT_SECONDS
from nlb_search.search.workers.trial_replicates import split_settings
from nlb_search.storage.checkpoints import Checkpoint, save_checkpoint

ATTEMPTS = 3
"""Maximum number of seeds to try until a network is about as good as the network of the search."""

LEAST_SHARE_OF_SCORE = 0.8
"""Minimum score on the val trials, as a fraction of the trial's score. The network is also trained on these trials."""

_ATTEMPT_STRIDE = 40_503

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Refitted:
    """The co-bps of a stored network on val, on which it was trained too, and why networks of other seeds were not
    accepted.
    """

    co_bps: float
    rejected: tuple[str, ...]


def retrain(job: RefitJob, interrupted: Callable[[], bool]) -> Refitted:
    """Train and store the network of a job.

    If the training diverges, or the network is far worse than that of the search, other seeds are tried, and the best
    network is stored. Raises DivergedError if all of them diverge, and InterruptedTrainingError if ``interrupted``
    returns true.
    """
    counts, val = _splits(job.spec.dataset, job.data, job.spec.bin_ms, job.spec.recording)
    best: tuple[float, Network] | None = None
    rejected: list[str] = []
    for attempt in range(ATTEMPTS):
        this = replace(job, seed=(job.seed + attempt * _ATTEMPT_STRIDE) % 2**32)
        try:
            network = _trained(this, counts, interrupted).averaged_network()
            score = _finite_score(network, val)
        except DivergedError as error:
            if attempt == ATTEMPTS - 1 and best is None:
                raise
            rejected.append(f"diverged ({error})")
            continue
        if best is None or score > best[0]:
            best = score, network
        # A negative score is missed by the same distance as a positive one.
        if score >= job.co_bps - (1 - LEAST_SHARE_OF_SCORE) * abs(job.co_bps):
            break
        rejected.append(f"has co-bps {score:.4f} on val, but the network of the search has {job.co_bps:.4f}")
    assert best is not None
    score, network = best
    weights = {name: tensor.cpu() for name, tensor in network.state_dict().items()}
    metadata = {"identity": job.identity, "sizes": asdict(counts.sizes), "co_bps": score}
    save_checkpoint(job.path, Checkpoint(weights, metadata))
    job.running.unlink(missing_ok=True)
    return Refitted(score, tuple(rejected))


def _finite_score(network: Network, val: Counts) -> float:
    """co-bps on val. Raises DivergedError if it is not finite."""
    val = val.to(training_device())
    score = co_bps(predict(network, val.heldin_BWI), val).item()
    if not math.isfinite(score):
        raise DivergedError(f"co-bps on val is {score}")
    return score


def _trained(job: RefitJob, counts: Counts, interrupted: Callable[[], bool]) -> Training:
    """A training of the job's settings after its last epoch. A checkpoint is written from time to time."""
    architecture, hyper = split_settings(job.settings)
    training = Training(architecture, hyper, job.spec.plan, counts, job.seed, training_device())
    checkpoint = stored(job.running, job.identity)
    if checkpoint is not None:
        training.restore(State(checkpoint.tensors, checkpoint.metadata["training"]))
        _log.info("%s: resuming training on train + val from epoch %d of %d", job.name, training.epoch, job.epochs)
    epochs = 1
    while training.epoch < job.epochs:
        began = time.monotonic()
        train_through([training], min(training.epoch + epochs, job.epochs), interrupted)
        epochs = max(1, math.floor(epochs * CHECKPOINT_SECONDS / (time.monotonic() - began)))
        if training.epoch < job.epochs:
            state = training.state()
            save_checkpoint(
                job.running, Checkpoint(state.tensors, {"identity": job.identity, "training": state.metadata})
            )
    return training


@cache
def _splits(dataset: str, data: Path, bin_ms: int, settings: RecordingSettings | None) -> tuple[Counts, Counts]:
    """Counts of train + val and of val, opened by the first job of a process so that errors are raised by that job."""
    recording = open_recording(dataset, data, bin_ms, settings=settings)
    return counts_of(recording.train_val), counts_of(recording.val)
