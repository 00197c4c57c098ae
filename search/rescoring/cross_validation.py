"""Cross-validation of settings on train + val, in several processes.

The trials of train + val are split into folds at random. Settings are trained on all folds but one and scored on the
remaining fold. All finalists have the same folds, and the same seed on each fold, so that they differ only in settings.
"""

import concurrent.futures
import math
import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from multiprocessing import get_context, parent_process
from multiprocessing.queues import SimpleQueue
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

import torch

from nlb_search.data.opening import open_recording
from nlb_search.data.own.recording_settings import RecordingSettings
from nlb_search.models.architecture.chain import parse_chain
from nlb_search.models.architecture.network import predict
from nlb_search.models.errors import DivergedError, InterruptedTrainingError
from nlb_search.models.scoring.bits_per_spike import co_bps
from nlb_search.models.tensors import Counts
from nlb_search.models.training.state import Training
from nlb_search.models.training.trainer import train_through
from nlb_search.search.errors import SearchError
from nlb_search.search.launching.slots import Slot
from nlb_search.search.recording_tensors import counts_of
from nlb_search.search.study.specification import SearchSpec
from nlb_search.search.workers.devices import training_device
from nlb_search.search.workers.memory import keep_freed_memory
from nlb_search.search.workers.shutdown import Stop
from nlb_search.search.workers.trial import settings_of

POLL_SECONDS = 0.5


@dataclass(frozen=True)
class Job:
    """One training: the settings of trial ``number`` for ``epochs``, on all folds except ``fold``."""

    number: int
    fold: int
    settings: dict[str, Any]
    epochs: int


@dataclass(frozen=True)
class FoldSettings:
    """Settings of all jobs: the specification, the location of the recording, and the number of folds."""

    spec: SearchSpec
    data: Path
    splits: int


def fold_trials(n_trials: int, splits: int, seed: int) -> tuple[torch.Tensor, ...]:
    """Trial numbers of each fold: a random partition into ``splits`` parts whose sizes differ by at most one."""
    order = torch.randperm(n_trials, generator=torch.Generator().manual_seed(seed))
    return torch.tensor_split(order, splits)


def score_fold(
    job: Job, fold_settings: FoldSettings, counts: Counts, device: torch.device, interrupted: Callable[[], bool]
) -> float:
    """Train on all folds of ``counts`` (train + val) except the job's fold, and return co-bps on that fold.

    The learning rate follows the schedule of the search, and training ends after the job's epochs: the fold influences
    neither. The seed is that of the study's trial with the fold's number, for every finalist. Raises DivergedError if
    the loss or the score is not finite, and InterruptedTrainingError if ``interrupted`` returns True.
    """
    spec = fold_settings.spec
    folds = fold_trials(counts.n_trials, fold_settings.splits, spec.seed)
    trained = torch.cat([trials for fold, trials in enumerate(folds) if fold != job.fold])
    architecture, hyper = settings_of(job.settings)
    seed = spec.trial_seed(job.fold)
    training = Training(parse_chain(architecture), hyper, spec.plan, counts.of_trials(trained), seed, device)
    train_through(training, job.epochs, interrupted)
    scored = counts.of_trials(folds[job.fold]).to(device)
    score = co_bps(predict(training.averaged_network(), scored.heldin_BWI), scored).item()
    if not math.isfinite(score):
        raise DivergedError(f"co-bps is {score}")
    return score


def run_jobs(
    jobs: list[Job], fold_settings: FoldSettings, slots: list[Slot], stop: Stop
) -> Iterator[tuple[Job, float | DivergedError]]:
    """Run the jobs, with one process per slot; yields each job with its score or its error when it finishes.

    Ends early if ``stop`` is set, and then discards running jobs. Raises SearchError if a process was killed.
    """
    context = get_context("spawn")
    exit_requested, free_slots = context.Event(), context.SimpleQueue()
    for slot in slots:
        free_slots.put(slot)
    with concurrent.futures.ProcessPoolExecutor(len(slots), context, _initialize, (free_slots, exit_requested)) as pool:
        with _without_ctrl_c():
            running = {pool.submit(_run, job, fold_settings): job for job in jobs}
        try:
            while running and not stop.is_set():
                done, _ = concurrent.futures.wait(running, POLL_SECONDS, concurrent.futures.FIRST_COMPLETED)
                for future in done:
                    job, result = running.pop(future), _score_or_divergence(future)
                    if isinstance(result, DivergedError):
                        _cancel(job.number, running)
                    yield job, result
        except BrokenProcessPool as error:
            if not stop.is_set():  # a signal to this process may have reached the others too
                raise SearchError(
                    "a process was killed, possibly because memory ran out: run the command again with fewer "
                    "--workers; finished folds are stored"
                ) from error
        finally:
            exit_requested.set()
            pool.shutdown(cancel_futures=True)


def _score_or_divergence(future: concurrent.futures.Future[float]) -> float | DivergedError:
    try:
        return future.result()
    except DivergedError as error:
        return error


def _cancel(number: int, running: dict[concurrent.futures.Future[float], Job]) -> None:
    """Cancel the jobs of a trial that have not started."""
    for future, job in list(running.items()):
        if job.number == number and future.cancel():
            del running[future]


@contextmanager
def _without_ctrl_c() -> Iterator[None]:
    """Processes started in this context ignore Ctrl-C: the parent handles it and asks them to exit."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


_exit_requested: Event | None = None
"""In a process of the pool: set when the parent asks all processes to exit."""


def _initialize(free_slots: SimpleQueue[Slot], exit_requested: Event) -> None:
    """Initialize a process of the pool with the environment of a free slot, before torch selects a device."""
    global _exit_requested
    threading.Thread(target=_exit_with_parent, daemon=True).start()
    os.environ.update(free_slots.get().environment)
    torch.set_num_threads(1)
    keep_freed_memory()
    _exit_requested = exit_requested


@cache
def _train_val(dataset: str, data: Path, bin_ms: int, settings: RecordingSettings | None) -> Counts:
    """Counts of train + val, opened by the first job of a process so that errors are raised by that job."""
    return counts_of(open_recording(dataset, data, bin_ms, settings=settings).train_val)


def _exit_with_parent() -> None:
    """Exit if the parent process was killed."""
    parent = parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def _run(job: Job, fold_settings: FoldSettings) -> float:
    assert _exit_requested is not None
    if _exit_requested.is_set():
        raise InterruptedTrainingError("asked to exit")
    spec = fold_settings.spec
    counts = _train_val(spec.dataset, fold_settings.data, spec.bin_ms, spec.recording)
    return score_fold(job, fold_settings, counts, training_device(), _exit_requested.is_set)
