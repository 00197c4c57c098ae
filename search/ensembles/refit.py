"""Retraining trials on train + val, in parallel, for predictions of the test trials."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from nlb_search.models.architecture.network import Network
from nlb_search.models.errors import DivergedError, InterruptedTrainingError
from nlb_search.models.tensors import Sizes
from nlb_search.search.ensembles.loaded_trial import LoadedTrial, network_of
from nlb_search.search.ensembles.refit_job import RefitJob, stored
from nlb_search.search.ensembles.refit_progress import LoggedProgress, RefitProgress
from nlb_search.search.ensembles.refit_training import Refitted, retrain
from nlb_search.search.errors import SearchError, UsageError
from nlb_search.search.export_options import REFIT_SEEDS, Phases
from nlb_search.search.launching.process_pool import exit_requested, run_in_slots
from nlb_search.search.launching.slots import Slot
from nlb_search.search.workers.shutdown import Stop
from nlb_search.storage.checkpoints import load_checkpoint

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class RefitOptions:
    """How trials are retrained: ``seeds`` networks of each trial, with one process per slot, until ``stop``."""

    seeds: int = REFIT_SEEDS
    slots: tuple[Slot, ...] = (Slot(0, None),)
    stop: Stop = field(default_factory=Stop)
    progress: RefitProgress = field(default_factory=LoggedProgress)


def refit_options(
    phase: Phases, seeds: int | None, slots: Sequence[Slot], stop: Stop, progress: RefitProgress
) -> RefitOptions:
    """How an export retrains trials; ``seeds`` None is the default. Raises UsageError if the phase trains nothing."""
    if seeds is not None and phase == "val":
        raise UsageError("--seeds needs --phase test: phase val uses the networks of the search")
    return RefitOptions(seeds or REFIT_SEEDS, tuple(slots), stop, progress)


def refit(trials: Sequence[LoadedTrial], options: RefitOptions) -> list[list[Network]]:
    """Retrain each trial on train + val, up to the epoch of its best evaluation in the search.

    Networks are stored next to the checkpoints of the study and reused; an interrupted training is resumed. Returns the
    networks of each trial. Raises SearchError if a training diverges with every seed that is tried, and
    InterruptedTrainingError if it is stopped.
    """
    jobs = [[_job(loaded, repeat) for repeat in range(options.seeds)] for loaded in trials]
    missing = [job for of_one in jobs for job in of_one if stored(job.path, job.identity) is None]
    if missing:
        options.progress(0, len(missing))
    # Also for one slot: only a new process can be given a GPU, because torch has seen all of them in this one.
    results = run_in_slots(_train, missing, list(options.slots), options.stop, group_of=lambda job: job.path)
    for done, (job, result) in enumerate(results, start=1):
        if isinstance(result, DivergedError):
            raise SearchError(f"{job.name} diverged when retrained on train + val: {result}") from result
        for reason in result.rejected:
            _log.warning("%s: a retrained network %s", job.name, reason)
        if result.rejected:
            _log.warning("%s: the best of several seeds is used, with co-bps %.4f on val", job.name, result.co_bps)
        options.progress(done, len(missing))
    if options.stop.is_set():
        raise InterruptedTrainingError("stopped: run the command again to continue")
    return [[_stored_network(job.path, loaded) for job in of_one] for loaded, of_one in zip(trials, jobs, strict=True)]


def _job(loaded: LoadedTrial, repeat: int) -> RefitJob:
    study, number, evaluation = loaded.study, loaded.trial.number, loaded.evaluation
    return RefitJob(
        study=study.name,
        spec=study.spec,
        data=study.locations.data,
        number=number,
        settings=loaded.settings,
        epochs=evaluation.epoch,
        seed=study.network_seed(loaded.trial, repeat),
        co_bps=evaluation.co_bps,
        path=study.checkpoints.refit(number, repeat),
    )


def _stored_network(path: Path, loaded: LoadedTrial) -> Network:
    checkpoint = load_checkpoint(path)
    return network_of(checkpoint.tensors, Sizes(**checkpoint.metadata["sizes"]), loaded.settings)


def _train(job: RefitJob) -> Refitted:
    return retrain(job, exit_requested)
