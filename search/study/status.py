"""The status of a study: what ``status``, the live display and the figures show."""

import heapq
from collections import Counter
from dataclasses import asdict, dataclass
from datetime import datetime
from itertools import accumulate
from typing import Any

from optuna.trial import FrozenTrial, TrialState

from nlb_search.search.study.open_study import OpenStudy
from nlb_search.search.study.pareto_front import FrontTrial, front_trial, pareto_front
from nlb_search.search.study.specification import SearchSpec
from nlb_search.search.trials.expected_gain import expected_gain_of, is_flat
from nlb_search.search.trials.trial_attributes import DEVICE_KEY, DIVERGED_KEY, MEMORY_KEY
from nlb_search.search.trials.trial_scores import final_score, score_of
from nlb_search.storage.claims.budget import budget_in
from nlb_search.storage.claims.claim import FAILURE_KEY
from nlb_search.storage.claims.heartbeat import stale_trial_ids
from nlb_search.storage.claims.owner import OWNER_KEY, Owner, live_owner
from nlb_search.storage.claims.time_used import budget_hours_in, hours_of
from nlb_search.storage.claims.trial_counts import FINISHED
from nlb_search.storage.study_commands import StudyCommand, command_in

N_LAST = 3
"""Number of trials in ``StudyStatus.last_ended``."""

NEAR_END = 0.9
"""Fraction of a trial's epochs after which its best epoch counts as near the last one."""


@dataclass(frozen=True)
class BestTrial:
    """The complete trial with the highest co-bps on val."""

    number: int
    value: float
    params: dict[str, Any]
    attrs: dict[str, Any]


@dataclass(frozen=True)
class RunningTrial:
    """A running trial: its worker (None if it has none), its epoch, and its last co-bps.

    ``device`` and ``memory_mb`` are the worker's, the latter its peak when it started the trial; None if unknown.
    """

    worker: Owner | None
    trial: int
    epoch: int
    co_bps: float | None
    architecture: str
    device: str | None
    memory_mb: int | None


@dataclass(frozen=True)
class EndedTrial:
    """A trial that has ended, its state in lower case, and its co-bps, None if it failed before its first score."""

    number: int
    state: str
    co_bps: float | None


@dataclass(frozen=True)
class StudyStatus:
    """Snapshot of a study.

    ``budget`` is the number of trials to finish. ``hours_used`` are the hours that workers have spent on the trials, of
    ``budget_hours``, or None if they are not limited. ``states`` is the number of trials by state, in lower case.
    ``best_of_chains`` is the best complete trial of each chain, or None. ``best_scores`` are the best co-bps so far
    after each complete trial, ``front`` is the Pareto front of the objectives, ``best_found`` is the time at which the
    best trial completed, and ``began`` the time at which the first worker started a trial. ``expected_gain`` is the
    expected increase of the best co-bps by as many trials again, or None if there are too few to say; ``is_flat`` says
    whether it is below the specification's ``until_flat``. ``n_diverged`` is the number of finished trials whose
    training diverged after it had a score, and ``last_ended`` are the last trials to end, latest first.
    """

    study: str
    spec: SearchSpec
    budget: int
    hours_used: float
    budget_hours: float | None
    states: dict[str, int]
    best: BestTrial | None
    best_of_chains: dict[str, BestTrial | None]
    best_scores: tuple[float, ...]
    expected_gain: float | None
    is_flat: bool
    workers: tuple[RunningTrial, ...]
    failures: tuple[str, ...]
    command: StudyCommand
    best_found: datetime | None = None
    began: datetime | None = None
    n_diverged: int = 0
    last_ended: tuple[EndedTrial, ...] = ()
    front: tuple[FrontTrial, ...] = ()

    @property
    def finished(self) -> int:
        """Number of finished trials."""
        return sum(self.states[state.name.lower()] for state in FINISHED)

    @property
    def is_finished(self) -> bool:
        """Whether the budget of trials or hours is met, or the search ended because no more gain is expected."""
        if self.finished >= self.budget or self.is_time_used:
            return True
        return self.is_flat and not self.states["running"] and not self.waiting

    @property
    def is_time_used(self) -> bool:
        """Whether the budget of hours is met, if there is one."""
        return self.budget_hours is not None and self.hours_used >= self.budget_hours

    @property
    def waiting(self) -> int:
        """Number of enqueued trials that no worker has started."""
        return self.states["waiting"]

    @property
    def budget_for_waiting(self) -> int:
        """The smallest budget with which all enqueued trials run."""
        return self.finished + self.states["running"] + self.waiting

    @property
    def best_near_last_epoch(self) -> bool:
        """Whether the best trial scored best on val in the last tenth of its epochs: longer trials may score better.

        Not only at the last epoch, because the averaged weights hardly change between the last evaluations.
        """
        return self.best is not None and self.best.attrs.get("best_epoch", 0) > NEAR_END * self.spec.epochs

    def as_json(self) -> dict[str, Any]:
        """The object that ``status --json`` prints."""
        best = self.best
        return {
            "study": self.study,
            "dataset": self.spec.dataset,
            "budget": self.budget,
            "hours_used": round(self.hours_used, 4),
            "budget_hours": self.budget_hours,
            "order": self.command,
            "states": self.states,
            "best": best and asdict(best),
            "objectives": self.spec.objectives,
            "front": [asdict(trial) for trial in self.front],
            "best_near_last_epoch": self.best_near_last_epoch,
            "expected_gain": self.expected_gain,
            "best_of_chains": {chain: of_chain and asdict(of_chain) for chain, of_chain in self.best_of_chains.items()},
            "workers": [
                {"worker": at.worker and str(at.worker), "trial": at.trial, "epoch": at.epoch, "co_bps": at.co_bps}
                for at in self.workers
                if at.worker is not None
            ],
        }


def study_status(open_study: OpenStudy) -> StudyStatus:
    """Read the status of the study."""
    attributes, trials = open_study.study.user_attrs, open_study.study.get_trials(deepcopy=False)
    states = Counter(trial.state for trial in trials)
    running = [trial for trial in trials if trial.state == TrialState.RUNNING]
    stale_ids = stale_trial_ids(open_study.study) if running else frozenset()
    best = best_of(trials)
    return StudyStatus(
        study=open_study.name,
        spec=open_study.spec,
        budget=budget_in(attributes, open_study.spec.trials),
        hours_used=hours_of(trials),
        budget_hours=budget_hours_in(attributes, open_study.spec.budget_hours),
        states={state.name.lower(): states[state] for state in TrialState},
        best=best,
        best_of_chains={
            chain: best_of([trial for trial in trials if open_study.spec.architecture_of(trial.params) == chain])
            for chain in open_study.spec.architectures
        },
        best_scores=tuple(accumulate((score_of(trial) for trial in trials if trial.state == TrialState.COMPLETE), max)),
        expected_gain=expected_gain_of(trials),
        is_flat=is_flat(trials, open_study.spec.until_flat),
        workers=tuple(_running_trial(trial, open_study.spec, stale_ids) for trial in running),
        failures=tuple(
            trial.user_attrs[FAILURE_KEY]
            for trial in trials
            if trial.state == TrialState.FAIL and FAILURE_KEY in trial.user_attrs
        ),
        command=command_in(attributes),
        best_found=None if best is None else trials[best.number].datetime_complete,
        began=_began(trials),
        n_diverged=sum(trial.state.is_finished() and DIVERGED_KEY in trial.user_attrs for trial in trials),
        last_ended=_last_ended(trials),
        front=tuple(front_trial(trial, open_study.spec) for trial in pareto_front(trials, open_study.spec.objectives)),
    )


def best_of(trials: list[FrozenTrial]) -> BestTrial | None:
    """The best complete trial, or None if there is none."""
    complete = [trial for trial in trials if trial.state == TrialState.COMPLETE]
    if not complete:
        return None
    best = max(complete, key=score_of)
    attrs = {key: value for key, value in best.user_attrs.items() if key != OWNER_KEY}
    return BestTrial(best.number, score_of(best), best.params, attrs)


def _running_trial(trial: FrozenTrial, spec: SearchSpec, stale_ids: frozenset[int]) -> RunningTrial:
    epoch = trial.last_step or 0
    return RunningTrial(
        worker=live_owner(trial, stale_ids),
        trial=trial.number,
        epoch=epoch,
        co_bps=trial.intermediate_values.get(epoch),
        architecture=spec.architecture_of(trial.params),
        device=trial.user_attrs.get(DEVICE_KEY),
        memory_mb=trial.user_attrs.get(MEMORY_KEY),
    )


def _began(trials: list[FrozenTrial]) -> datetime | None:
    """When a worker of this study started its first trial; trials that were copied from another study had none."""
    starts = [trial.datetime_start for trial in trials if OWNER_KEY in trial.user_attrs]
    return min((start for start in starts if start is not None), default=None)


def _last_ended(trials: list[FrozenTrial]) -> tuple[EndedTrial, ...]:
    ended = [(trial.datetime_complete, trial) for trial in trials if trial.datetime_complete is not None]
    latest = heapq.nlargest(N_LAST, ended, key=lambda pair: pair[0])
    return tuple(EndedTrial(trial.number, trial.state.name.lower(), final_score(trial)) for _, trial in latest)
