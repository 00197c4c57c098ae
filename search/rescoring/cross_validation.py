"""Scoring settings by cross-validation on train + val, spread over processes.

The trials of train + val are cut into folds at random; settings are trained on all folds but one and scored on that
one. Every finalist meets the same folds, and on each fold the same seed, so that they differ in their settings alone.
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
from nlb_search.data.own.settings import RecordingSettings
from nlb_search.models.architecture.chain import parse_chain
from nlb_search.models.architecture.network import predict
from nlb_search.models.errors import DivergedError, InterruptedTrainingError
from nlb_search.models.scoring.bits_per_spike import co_bps
from nlb_search.models.tensors import Counts
from nlb_search.models.training.fitting import train_through
from nlb_search.models.training.state import Training
from nlb_search.search.errors import SearchError
from nlb_search.search.launching.slots import Slot
from nlb_search.search.study.specification import SearchSpec
from nlb_search.search.tensors import counts_of
from nlb_search.search.workers.devices import training_device
from nlb_search.search.workers.memory import keep_freed_memory
from nlb_search.search.workers.stopping import Stop
from nlb_search.search.workers.trial import settings_of

POLL_SECONDS = 0.5


@dataclass(frozen=True)
class Job:
    """One training: the settings of the study's trial ``number`` for ``epochs``, on all folds but ``fold``."""

    number: int
    fold: int
    settings: dict[str, Any]
    epochs: int


@dataclass(frozen=True)
class FoldSettings:
    """What all jobs have in common: the recording, lying at ``data``, and into how many folds it is cut."""

    spec: SearchSpec
    data: Path
    splits: int


def fold_trials(n_trials: int, splits: int, seed: int) -> tuple[torch.Tensor, ...]:
    """The trials of each fold: a random cut of all trials into ``splits`` parts whose sizes differ by one at most."""
    order = torch.randperm(n_trials, generator=torch.Generator().manual_seed(seed))
    return torch.tensor_split(order, splits)


def score_fold(
    job: Job, fold_settings: FoldSettings, counts: Counts, device: torch.device, interrupted: Callable[[], bool]
) -> float:
    """co-bps on the job's fold of ``counts``, those of train + val, after a training on the other folds.

    The learning rate follows the search's own schedule, and the training ends after the job's epochs: the fold chooses
    nothing. Its seed is that of the study's trial with the fold's number, whichever finalist is trained. Raises
    DivergedError for a loss or score that is not finite, and InterruptedTrainingError.
    """
    spec = fold_settings.spec
    folds = fold_trials(counts.n_trials, fold_settings.splits, spec.seed)
    rest = torch.cat([trials for fold, trials in enumerate(folds) if fold != job.fold])
    architecture, hyper = settings_of(job.settings)
    seed = spec.trial_seed(job.fold)
    training = Training(parse_chain(architecture), hyper, spec.plan, counts.of_trials(rest), seed, device)
    train_through(training, job.epochs, interrupted)
    held = counts.of_trials(folds[job.fold]).to(device)
    score = co_bps(predict(training.network, held.heldin_BWI), held).item()
    if not math.isfinite(score):
        raise DivergedError(f"its co-bps became {score}")
    return score


def run_jobs(
    jobs: list[Job], fold_settings: FoldSettings, slots: list[Slot], stop: Stop
) -> Iterator[tuple[Job, float | DivergedError]]:
    """Each job with its score, or with how it diverged, as they are done by one process a slot.

    Ends early when ``stop`` is set; what is running is then given up. Raises SearchError if a process was killed.
    """
    context = get_context("spawn")
    leave, free_slots = context.Event(), context.SimpleQueue()
    for slot in slots:
        free_slots.put(slot)
    with concurrent.futures.ProcessPoolExecutor(len(slots), context, _arrive, (free_slots, leave)) as pool:
        with _ctrl_c_for_parent_alone():
            running = {pool.submit(_run, job, fold_settings): job for job in jobs}
        try:
            while running and not stop.is_set():
                done, _ = concurrent.futures.wait(running, POLL_SECONDS, concurrent.futures.FIRST_COMPLETED)
                for future in done:
                    job, result = running.pop(future), _score_or_divergence(future)
                    if isinstance(result, DivergedError):
                        _give_up(job.number, running)
                    yield job, result
        except BrokenProcessPool as error:
            if not stop.is_set():  # whoever stops this process may have stopped those too
                raise SearchError(
                    "a process was killed, perhaps for want of memory: the folds that are done are kept, "
                    "so try again with fewer --workers"
                ) from error
        finally:
            leave.set()
            pool.shutdown(cancel_futures=True)


def _score_or_divergence(future: concurrent.futures.Future[float]) -> float | DivergedError:
    try:
        return future.result()
    except DivergedError as error:
        return error


def _give_up(number: int, running: dict[concurrent.futures.Future[float], Job]) -> None:
    """Drop the jobs of a trial that nobody has begun."""
    for future, job in list(running.items()):
        if job.number == number and future.cancel():
            del running[future]


@contextmanager
def _ctrl_c_for_parent_alone() -> Iterator[None]:
    """Processes that are started in here never get Ctrl-C: the parent hears it, and asks them to leave."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


_leave: Event | None = None
"""In a process of the pool: set when the parent asks all of them to leave."""


def _arrive(free_slots: SimpleQueue[Slot], leave: Event) -> None:
    """Take a slot, before torch looks for its device."""
    global _leave
    threading.Thread(target=_leave_with_parent, daemon=True).start()
    os.environ.update(free_slots.get().environment)
    torch.set_num_threads(1)
    keep_freed_memory()
    _leave = leave


@cache
def _train_val(dataset: str, data: Path, bin_ms: int, settings: RecordingSettings | None) -> Counts:
    """Opened by the first job of a process: what goes wrong with it is then told as that job's error."""
    return counts_of(open_recording(dataset, data, bin_ms, settings=settings).train_val)


def _leave_with_parent() -> None:
    """End this process when its parent was killed: nobody would ever give it another job."""
    parent = parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def _run(job: Job, fold_settings: FoldSettings) -> float:
    assert _leave is not None
    if _leave.is_set():
        raise InterruptedTrainingError("asked to leave")
    spec = fold_settings.spec
    counts = _train_val(spec.dataset, fold_settings.data, spec.bin_ms, spec.recording)
    return score_fold(job, fold_settings, counts, training_device(), _leave.is_set)
