"""Rescores the best trials of a study: they were selected by their scores on val, which are therefore too high.

Each finalist's settings are scored by cross-validation on train + val. Every score is stored in the study as soon as it
is computed, under its own key, so an interrupted rescoring can continue and two can run at the same time.
"""

import logging
from collections.abc import Iterable
from dataclasses import dataclass, replace
from statistics import fmean, stdev
from typing import Any

from optuna.trial import FrozenTrial

from nlb_search.models.errors import DivergedError
from nlb_search.search.errors import SearchError, UsageError
from nlb_search.search.launching.slots import Slot
from nlb_search.search.rescoring.cross_validation import FoldSettings, Job, run_jobs
from nlb_search.search.rescoring.rescoring_attributes import RESCORING_KEY, fold_key
from nlb_search.search.sampling.spaces.trial_parameters import sample, trained_chain
from nlb_search.search.study.chain_trials import by_chain
from nlb_search.search.study.open_study import OpenStudy
from nlb_search.search.study.specification import check_training
from nlb_search.search.trials.trial_scores import complete_trials, score_of
from nlb_search.search.workers.shutdown import Stop
from nlb_search.storage.database.retrying import DatabaseRetry
from nlb_search.storage.study_identity import check_identity

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Rescored:
    """A finalist: its trial, the chain that was trained, and its co-bps on each fold, None for folds not scored yet.

    ``diverged`` is the error of a training that diverged; the finalist is then excluded.
    """

    trial: FrozenTrial
    architecture: str
    scores: tuple[float | None, ...]
    diverged: str | None = None

    @property
    def known(self) -> list[float]:
        """co-bps on the folds scored so far."""
        return [score for score in self.scores if score is not None]

    @property
    def is_scored(self) -> bool:
        """Whether it has a score on every fold."""
        return self.diverged is None and None not in self.scores

    @property
    def is_over(self) -> bool:
        """Whether no training is left: scored on every fold, or diverged."""
        return self.diverged is not None or self.is_scored

    @property
    def mean(self) -> float:
        """Mean co-bps over the folds."""
        return fmean(self.known)

    @property
    def spread(self) -> float:
        """Standard deviation of co-bps over the folds."""
        return stdev(self.known)


@dataclass(frozen=True)
class Rescoring:
    """The finalists of a study's last rescoring."""

    study: str
    splits: int
    finalists: tuple[Rescored, ...]

    @property
    def ranked(self) -> list[Rescored]:
        """The finalists with a score on every fold, best first."""
        return sorted((one for one in self.finalists if one.is_scored), key=lambda one: -one.mean)

    @property
    def is_over(self) -> bool:
        return all(one.is_over for one in self.finalists)

    def as_json(self) -> dict[str, Any]:
        """The object that ``rescore --json`` prints."""
        return {
            "study": self.study,
            "splits": self.splits,
            "chosen": self.ranked[0].trial.number if self.is_over and self.ranked else None,
            "finalists": [
                {
                    "number": one.trial.number,
                    "architecture": one.architecture,
                    "val": score_of(one.trial),
                    "scores": one.scores,
                    "mean": one.mean if one.is_scored else None,
                    "sd": one.spread if one.is_scored else None,
                    "diverged": one.diverged,
                }
                for one in self.finalists
            ],
        }


def rescoring_of(study: OpenStudy) -> Rescoring:
    """The study's last rescoring, which may be unfinished. Raises SearchError if there is none."""
    attributes = study.study.user_attrs
    if RESCORING_KEY not in attributes:
        raise SearchError(f"the study '{study.name}' has not been rescored: run `nlb-search rescore {study.name}`")
    splits, numbers = attributes[RESCORING_KEY]["splits"], attributes[RESCORING_KEY]["trials"]
    trials = study.study.get_trials(deepcopy=False)
    finalists = tuple(_recorded(study, trials[number], splits, attributes) for number in numbers)
    return Rescoring(study.name, splits, finalists)


def finished_rescoring(study: OpenStudy) -> Rescoring:
    """The study's last rescoring. Raises SearchError if there is none, or if it is not finished."""
    rescoring = rescoring_of(study)
    if not rescoring.is_over:
        raise SearchError(
            f"the rescoring of the study '{study.name}' is not finished: "
            f"continue with `nlb-search rescore {study.name}`"
        )
    return rescoring


def rescored_means(study: OpenStudy) -> dict[int, float]:
    """Mean co-bps over the folds of the study's last rescoring, by trial number, of the trials scored on every fold."""
    if RESCORING_KEY not in study.study.user_attrs:
        return {}
    return {one.trial.number: one.mean for one in rescoring_of(study).ranked}


def choose_finalists(study: OpenStudy, count: int, architectures: tuple[str, ...]) -> list[FrozenTrial]:
    """The ``count`` best complete trials on val, of each of the architectures; without any, of the whole study.

    Raises SearchError if there is no complete trial.
    """
    finalists: list[FrozenTrial] = []
    for name, trials in by_chain(study, complete_trials(study.study), architectures):
        if not trials:
            raise SearchError(
                f"the study '{study.name}' has no complete trial{name} yet: continue it with "
                f"`nlb-search resume {study.name}`"
            )
        finalists += trials[:count]
    return finalists


def rescore(study: OpenStudy, finalists: list[FrozenTrial], splits: int, slots: list[Slot], stop: Stop) -> Rescoring:
    """Score the finalists on each of ``splits`` folds, with one process per slot, until finished or ``stop`` is set.

    Scores of an earlier rescoring with the same number of folds are reused. Raises UsageError if there are more folds
    than trials, and SearchError if the study was created by another version.
    """
    check_training(study.spec)
    n_trials = study.recording().train_val.n_trials
    if splits > n_trials:
        raise UsageError(f"--splits {splits} is more than the {n_trials} trials of train + val: give fewer")
    retry = DatabaseRetry(stop)
    _start(study, finalists, splits, retry)
    known = {one.trial.number: one for one in rescoring_of(study).finalists}
    jobs = [job for one in known.values() for job in _jobs(study, one)]
    fold_settings = FoldSettings(study.spec, study.locations.data, splits)
    for done, (job, result) in enumerate(run_jobs(jobs, fold_settings, slots, stop) if jobs else (), start=1):
        known[job.number] = _with_result(known[job.number], job.fold, result)
        _record(study, splits, job, result, retry)
        text = (
            f"diverged, so the trial is excluded: {result}"
            if isinstance(result, DivergedError)
            else f"co-bps {result:.4f}"
        )
        _log.info("trial %d, fold %d: %s (%d of %d)", job.number, job.fold + 1, text, done, len(jobs))
    return Rescoring(study.name, splits, tuple(known.values()))


def _start(study: OpenStudy, finalists: Iterable[FrozenTrial], splits: int, retry: DatabaseRetry) -> None:
    started = {"splits": splits, "trials": [trial.number for trial in finalists]}
    retry.call(lambda: study.study.set_user_attr(RESCORING_KEY, started))


def _jobs(study: OpenStudy, one: Rescored) -> list[Job]:
    """The remaining trainings of a finalist."""
    if one.is_over:
        return []
    spec = study.spec
    # Suggesting from a finished trial returns its own parameters.
    settings = sample(one.trial, spec.space, spec.architectures)
    epochs = one.trial.user_attrs["best_epoch"]
    return [Job(one.trial.number, fold, settings, epochs) for fold, score in enumerate(one.scores) if score is None]


def _with_result(one: Rescored, fold: int, result: float | DivergedError) -> Rescored:
    if isinstance(result, DivergedError):
        return replace(one, diverged=str(result))
    return replace(one, scores=(*one.scores[:fold], result, *one.scores[fold + 1 :]))


def _record(study: OpenStudy, splits: int, job: Job, result: float | DivergedError, retry: DatabaseRetry) -> None:
    value = {"diverged": str(result)} if isinstance(result, DivergedError) else {"co_bps": result}
    retry.call(lambda: check_identity(study.study, study.identity))
    retry.call(lambda: study.study.set_user_attr(fold_key(splits, job.number, job.fold), value))


def _recorded(study: OpenStudy, trial: FrozenTrial, splits: int, attributes: dict[str, Any]) -> Rescored:
    """The trial's scores on ``splits`` folds, from the study's user attributes."""
    # Suggesting from a finished trial returns its own parameters.
    architecture = trained_chain(sample(trial, study.spec.space, study.spec.architectures))
    folds = [attributes.get(fold_key(splits, trial.number, fold), {}) for fold in range(splits)]
    diverged = next((fold["diverged"] for fold in folds if "diverged" in fold), None)
    return Rescored(trial, architecture, tuple(fold.get("co_bps") for fold in folds), diverged)
