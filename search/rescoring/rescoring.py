"""Rescoring the best trials of a study: val selected them from many, so their scores on val are too high.

Each finalist's settings are scored by cross-validation on train + val. Every score is kept in the study as soon as it
is known, under its own key: an interrupted rescoring resumes, and two at once do not disturb each other.
"""

import logging
from collections.abc import Iterable
from dataclasses import dataclass, replace
from statistics import fmean, stdev
from typing import Any, cast

import optuna
from optuna.trial import FrozenTrial

from nlb_search.models.errors import DivergedError
from nlb_search.search.errors import SearchError, UsageError
from nlb_search.search.launching.slots import Slot
from nlb_search.search.rescoring.cross_validation import FoldSettings, Job, run_jobs
from nlb_search.search.sampling.space import sample
from nlb_search.search.study.chain_trials import by_chain
from nlb_search.search.study.opening import OpenStudy
from nlb_search.search.study.specification import check_versions
from nlb_search.search.study.status import complete_trials
from nlb_search.search.workers.stopping import Stop
from nlb_search.storage.database.retrying import DatabaseRetry

RESCORING_KEY = "rescoring"
"""The study's attribute that says into how many folds its last rescoring cuts, and the numbers of its finalists."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Rescored:
    """A finalist: its trial and chain, and its co-bps on each fold, None where it is not known yet.

    ``diverged`` says how a training of it left the finite numbers; such a finalist is out.
    """

    trial: FrozenTrial
    architecture: str
    scores: tuple[float | None, ...]
    diverged: str | None = None

    @property
    def known(self) -> list[float]:
        return [score for score in self.scores if score is not None]

    @property
    def is_whole(self) -> bool:
        return self.diverged is None and None not in self.scores

    @property
    def is_over(self) -> bool:
        """Whether nothing is left to train of it."""
        return self.diverged is not None or self.is_whole

    @property
    def mean(self) -> float:
        """Mean co-bps over the folds of a finalist that is whole."""
        return fmean(self.known)

    @property
    def spread(self) -> float:
        """Standard deviation of the co-bps over the folds of a finalist that is whole."""
        return stdev(self.known)


@dataclass(frozen=True)
class Rescoring:
    """The finalists of a study's last rescoring."""

    study: str
    splits: int
    finalists: tuple[Rescored, ...]

    @property
    def ranked(self) -> list[Rescored]:
        """The finalists that are scored on every fold, best first."""
        return sorted((one for one in self.finalists if one.is_whole), key=lambda one: -one.mean)

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
                    "val": one.trial.value,
                    "scores": one.scores,
                    "mean": one.mean if one.is_whole else None,
                    "sd": one.spread if one.is_whole else None,
                    "diverged": one.diverged,
                }
                for one in self.finalists
            ],
        }


def rescoring_of(study: OpenStudy) -> Rescoring:
    """The study's last rescoring, as far as it is. Raises SearchError if there was none."""
    attributes = study.study.user_attrs
    if RESCORING_KEY not in attributes:
        raise SearchError(f"the study '{study.name}' was not rescored: run `nlb-search rescore {study.name}`")
    splits, numbers = attributes[RESCORING_KEY]["splits"], attributes[RESCORING_KEY]["trials"]
    trials = study.study.get_trials(deepcopy=False)
    finalists = tuple(_recorded(study, trials[number], splits, attributes) for number in numbers)
    return Rescoring(study.name, splits, finalists)


def ranked_by_splits(study: OpenStudy) -> list[FrozenTrial]:
    """The finalists of the study's last rescoring, best first. Raises SearchError if it is not over."""
    rescoring = rescoring_of(study)
    if not rescoring.is_over:
        raise SearchError(
            f"the rescoring of the study '{study.name}' is not finished: "
            f"continue with `nlb-search rescore {study.name}`"
        )
    return [one.trial for one in rescoring.ranked]


def choose_finalists(study: OpenStudy, count: int, architectures: tuple[str, ...]) -> list[FrozenTrial]:
    """The ``count`` best complete trials by val of each of the architectures, or of the study where none is named.

    Raises SearchError where there is none.
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
    """Score the finalists on each of ``splits`` folds, one process a slot, until all is done or ``stop`` is set.

    Scores of an earlier rescoring into as many folds are taken over. Raises UsageError for more folds than trials, and
    SearchError where the study was made by another version.
    """
    check_versions(study.spec)
    n_trials = study.recording().train_val.n_trials
    if splits > n_trials:
        raise UsageError(f"--splits {splits}: there are only {n_trials} trials of train and val: give fewer")
    retry = DatabaseRetry(stop)
    _begin(study, finalists, splits, retry)
    known = {one.trial.number: one for one in rescoring_of(study).finalists}
    jobs = [job for one in known.values() for job in _jobs(study, one)]
    fold_settings = FoldSettings(study.spec, study.locations.data, splits)
    for done, (job, result) in enumerate(run_jobs(jobs, fold_settings, slots, stop) if jobs else (), start=1):
        known[job.number] = _with_result(known[job.number], job.fold, result)
        _record(study, splits, job, result, retry)
        said = f"diverged and is left out: {result}" if isinstance(result, DivergedError) else f"co-bps {result:.4f}"
        _log.info("trial %d, fold %d: %s (%d of %d)", job.number, job.fold + 1, said, done, len(jobs))
    return Rescoring(study.name, splits, tuple(known.values()))


def _begin(study: OpenStudy, finalists: Iterable[FrozenTrial], splits: int, retry: DatabaseRetry) -> None:
    begun = {"splits": splits, "trials": [trial.number for trial in finalists]}
    retry.call(lambda: study.study.set_user_attr(RESCORING_KEY, begun))


def _jobs(study: OpenStudy, one: Rescored) -> list[Job]:
    """The trainings that a finalist still lacks."""
    if one.is_over:
        return []
    spec = study.spec
    # A finished trial gives its own parameters back when it is asked to suggest some.
    settings = sample(cast(optuna.Trial, one.trial), spec.space, spec.architectures)
    epochs = one.trial.user_attrs["best_epoch"]
    return [Job(one.trial.number, fold, settings, epochs) for fold, score in enumerate(one.scores) if score is None]


def _with_result(one: Rescored, fold: int, result: float | DivergedError) -> Rescored:
    if isinstance(result, DivergedError):
        return replace(one, diverged=str(result))
    return replace(one, scores=(*one.scores[:fold], result, *one.scores[fold + 1 :]))


def _record(study: OpenStudy, splits: int, job: Job, result: float | DivergedError, retry: DatabaseRetry) -> None:
    value = {"diverged": str(result)} if isinstance(result, DivergedError) else {"co_bps": result}
    retry.call(lambda: study.study.set_user_attr(_key(splits, job.number, job.fold), value))


def _recorded(study: OpenStudy, trial: FrozenTrial, splits: int, attributes: dict[str, Any]) -> Rescored:
    """What the study knows of the trial's scores on ``splits`` folds."""
    architecture = study.spec.architecture_of(trial.params)
    folds = [attributes.get(_key(splits, trial.number, fold), {}) for fold in range(splits)]
    diverged = next((fold["diverged"] for fold in folds if "diverged" in fold), None)
    return Rescored(trial, architecture, tuple(fold.get("co_bps") for fold in folds), diverged)


def _key(splits: int, number: int, fold: int) -> str:
    return f"{RESCORING_KEY}-{splits}-{number}-{fold}"
