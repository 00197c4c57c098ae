"""Cross-validation of settings on train + val, in several processes.

The trials of train + val are split into folds at random. Settings are trained on all folds but one and scored on the
remaining fold. All finalists have the same folds, and the same seed on each fold, so that they differ only in settings.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from statistics import fmean
from typing import Any

import torch

from nlb_search.data.opening import open_recording
from nlb_search.data.own.recording_settings import RecordingSettings
from nlb_search.models.architecture.network import predict
from nlb_search.models.errors import DivergedError
from nlb_search.models.scoring.bits_per_spike import co_bps
from nlb_search.models.tensors import Counts
from nlb_search.models.training.trainer import train_through
from nlb_search.search.launching.process_pool import exit_requested, run_in_slots
from nlb_search.search.launching.slots import Slot
from nlb_search.search.recording_tensors import counts_of
from nlb_search.search.study.specification import SearchSpec
from nlb_search.search.workers.devices import training_device
from nlb_search.search.workers.shutdown import Stop
from nlb_search.search.workers.trial_replicates import build_replicates


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

    It trains as many networks as a trial of the study, and their scores are averaged. The learning rate follows the
    schedule of the search, and training ends after the job's epochs: the fold influences neither. The seeds are those
    of the study's trial with the fold's number, for every finalist. Raises DivergedError if the loss or the score is
    not finite, and InterruptedTrainingError if ``interrupted`` returns True.
    """
    spec = fold_settings.spec
    folds = fold_trials(counts.n_trials, fold_settings.splits, spec.seed)
    trained = torch.cat([trials for fold, trials in enumerate(folds) if fold != job.fold])
    trainings = build_replicates(job.settings, job.fold, spec, counts.of_trials(trained), device).trainings
    train_through(trainings, job.epochs, interrupted)
    scored = counts.of_trials(folds[job.fold]).to(device)
    rates = (predict(training.averaged_network(), scored.heldin_BWI) for training in trainings)
    score = fmean(co_bps(rates_BTN, scored).item() for rates_BTN in rates)
    if not math.isfinite(score):
        raise DivergedError(f"co-bps is {score}")
    return score


def run_jobs(
    jobs: list[Job], fold_settings: FoldSettings, slots: list[Slot], stop: Stop
) -> Iterator[tuple[Job, float | DivergedError]]:
    """Run the jobs, with one process per slot; yields each job with its score or its error when it finishes.

    Other folds of a trial that diverged are not started. Ends early if ``stop`` is set, and then discards running jobs.
    Raises SearchError if a process was killed.
    """
    return run_in_slots(partial(_run, fold_settings), jobs, slots, stop, group_of=lambda job: job.number)


@cache
def _train_val(dataset: str, data: Path, bin_ms: int, settings: RecordingSettings | None) -> Counts:
    """Counts of train + val, opened by the first job of a process so that errors are raised by that job."""
    return counts_of(open_recording(dataset, data, bin_ms, settings=settings).train_val)


def _run(fold_settings: FoldSettings, job: Job) -> float:
    spec = fold_settings.spec
    counts = _train_val(spec.dataset, fold_settings.data, spec.bin_ms, spec.recording)
    return score_fold(job, fold_settings, counts, training_device(), exit_requested)
