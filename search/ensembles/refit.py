"""Training trials again on train + val, in parallel, for predictions of the test trials."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from nlb_search.models.architecture.network import Network
from nlb_search.models.errors import DivergedError, InterruptedTrainingError
from nlb_search.search.ensembles.finalists import Finalist, network_of
from nlb_search.search.ensembles.refit_job import RefitJob, stored
from nlb_search.search.ensembles.refit_training import train_again
from nlb_search.search.errors import SearchError, UsageError
from nlb_search.search.export_options import REFIT_SEEDS, Phases
from nlb_search.search.launching.process_pool import exit_requested, run_in_slots
from nlb_search.search.launching.slots import Slot
from nlb_search.search.study.open_study import OpenStudy
from nlb_search.search.study.specification import SearchSpec
from nlb_search.search.workers.memory import keep_freed_memory
from nlb_search.search.workers.shutdown import Stop
from nlb_search.storage.checkpoints import load_checkpoint

_REPEAT_STRIDE = 2_654_435_761

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class RefitOptions:
    """How trials are trained again: ``seeds`` networks of each trial, with one process per slot, until ``stop``."""

    seeds: int = REFIT_SEEDS
    slots: tuple[Slot, ...] = (Slot(0, None),)
    stop: Stop = field(default_factory=Stop)


def refit_options(phase: Phases, seeds: int | None, slots: Sequence[Slot], stop: Stop) -> RefitOptions:
    """How an export trains again; ``seeds`` is None for the default. Raises UsageError if the phase trains nothing."""
    if seeds is not None and phase == "val":
        raise UsageError("--seeds needs --phase test: in phase val, the networks of the search are used")
    return RefitOptions(seeds or REFIT_SEEDS, tuple(slots), stop)


def refit(study: OpenStudy, finalists: Sequence[Finalist], options: RefitOptions) -> list[list[Network]]:
    """Train each finalist again on train + val, up to the epoch of its best evaluation in the search.

    Networks are stored beside the study's checkpoints and used again; an interrupted training is resumed. Returns the
    networks of each finalist. Raises SearchError if a training diverges with every seed that is tried, and
    InterruptedTrainingError if it is stopped.
    """
    jobs = [[_job(study, finalist, repeat) for repeat in range(options.seeds)] for finalist in finalists]
    missing = [job for of_one in jobs for job in of_one if stored(job.path, job.identity(study.spec)) is None]
    for done, (job, result) in enumerate(_results(study, missing, options), start=1):
        if isinstance(result, DivergedError):
            raise SearchError(f"training trial {job.number} on train + val diverged: {result}") from result
        _log.info(
            "trained trial %d again on train + val, co-bps %.4f there (%d of %d)",
            job.number,
            result,
            done,
            len(missing),
        )
    if options.stop.is_set():
        raise InterruptedTrainingError("stopped: run the command again to continue")
    return [
        [network_of(load_checkpoint(job.path), finalist.settings) for job in of_one]
        for finalist, of_one in zip(finalists, jobs, strict=True)
    ]


def _job(study: OpenStudy, finalist: Finalist, repeat: int) -> RefitJob:
    number, progress = finalist.trial.number, finalist.progress
    return RefitJob(
        number=number,
        settings=finalist.settings,
        epochs=progress.epoch,
        seed=(study.spec.trial_seed(number) + repeat * _REPEAT_STRIDE) % 2**32,
        co_bps=progress.co_bps,
        path=study.checkpoints.refit(number, repeat),
    )


def _results(
    study: OpenStudy, jobs: list[RefitJob], options: RefitOptions
) -> Iterator[tuple[RefitJob, float | DivergedError]]:
    """Train the jobs, in this process if there is one job or one slot."""
    slots, stop = list(options.slots), options.stop
    if len(jobs) > 1 and len(slots) > 1:
        run = partial(_train_in_pool, study.spec, study.locations.data)
        yield from run_in_slots(run, jobs, slots, stop, group_of=lambda job: job.path)
        return
    keep_freed_memory()
    for job in jobs:
        try:
            yield job, train_again(study.spec, study.locations.data, job, stop.is_set)
        except DivergedError as error:
            yield job, error
        except InterruptedTrainingError:
            return


def _train_in_pool(spec: SearchSpec, data: Path, job: RefitJob) -> float:
    return train_again(spec, data, job, exit_requested)
