"""Claims: how workers share the trials of a study, and when the budget is met.

A trial keeps its number from its first worker to its last. If a worker dies, its trial stays in the state RUNNING, and
the next worker that asks takes it over under the same number: nothing is counted twice, the pruner sees one curve, and
the budget is met exactly.
"""

import logging
from collections.abc import Callable, Collection
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, TypeVar

import optuna
from optuna.exceptions import UpdateFinishedTrialError
from optuna.trial import FrozenTrial, TrialState

from nlb_search.storage.claims.heartbeat import Heartbeat, beat, silent_trials
from nlb_search.storage.claims.held_trial import HeldTrial, held
from nlb_search.storage.claims.lost_workers import LOST_WORKERS_KEY, LostWorkers, add_lost_worker
from nlb_search.storage.claims.owner import OWNER_KEY, Owner
from nlb_search.storage.database.locks import exclusive
from nlb_search.storage.database.retrying import DatabaseRetry
from nlb_search.storage.database.trial_cache import cached_trials, fresh_trials
from nlb_search.storage.database.urls import StorageUrl
from nlb_search.storage.errors import LostTrialError
from nlb_search.storage.studies import explain_if_deleted

FAILURE_KEY = "failure"
"""User attribute of the trial that stores why it failed."""

FINISHED = (TrialState.COMPLETE, TrialState.PRUNED)
"""The states that count towards the budget. Failed trials do not count."""

_log = logging.getLogger(__name__)
_Result = TypeVar("_Result")


def finished_count(study: optuna.Study) -> int:
    """Number of complete and pruned trials."""
    return study._storage.get_n_trials(study._study_id, FINISHED)


@dataclass(frozen=True)
class Claim:
    """A trial that this process holds. Every method waits while the database is unreachable.

    All methods except ``kept_alive`` and ``sample`` raise LostTrialError if another process took over, finished or
    deleted the trial.
    """

    study: optuna.Study
    trial: optuna.Trial
    owner: Owner
    retry: DatabaseRetry
    lost_workers: LostWorkers

    @property
    def number(self) -> int:
        return self.trial.number

    def kept_alive(self, heartbeat: Heartbeat) -> AbstractContextManager[None]:
        """A context in which the trial has a regular heartbeat."""
        return heartbeat.of(self.trial._trial_id)

    def sample(self, suggest: Callable[[optuna.Trial], dict[str, Any]]) -> dict[str, Any]:
        """The trial's parameters, as suggested by ``suggest``. Stored parameters keep their values."""

        def draw() -> dict[str, Any]:
            # Read the trial again at each attempt: the last write may have succeeded without an answer.
            with fresh_trials(self.study):
                return suggest(optuna.Trial(self.study, self.trial._trial_id))

        return self.retry.call(draw)

    def report(self, value: float, step: int) -> bool:
        """Report a score of the running trial. Returns whether the pruner stops it."""
        # The cached values are complete: only the holder of a trial reports scores.
        scores = self.trial._cached_frozen_trial.intermediate_values

        def send() -> bool:
            with self._held() as trial:
                # An earlier worker of this trial may have reported this step already.
                if step not in scores:
                    trial.report(value, step)
            scores.setdefault(step, value)
            with cached_trials(self.study):
                return self.trial.should_prune()

        return self._unless_lost(send)

    def annotate(self, **attributes: Any) -> None:
        """Store user attributes of the trial, in one transaction."""

        def send() -> None:
            with self._held() as trial:
                for key, value in attributes.items():
                    trial.set_user_attr(key, value)

        self._unless_lost(send)

    def complete(self, value: float) -> None:
        """Finish the trial as complete, with its score."""
        self._tell(TrialState.COMPLETE, value)

    def prune(self) -> None:
        """Finish the trial as pruned, with the last reported score."""
        self._tell(TrialState.PRUNED, None)

    def fail(self, reason: str) -> None:
        """Mark the trial as failed, with the reason. It no longer counts towards the budget."""
        self.annotate(**{FAILURE_KEY: reason})
        self._tell(TrialState.FAIL, None)

    def release(self) -> None:
        """Leave the trial running and without an owner, so that the next worker can resume it at once."""

        def send() -> None:
            try:
                with self._held() as trial:
                    trial.set_user_attr(OWNER_KEY, None)
            except LostTrialError:
                if self._stored().user_attrs.get(OWNER_KEY) is not None:
                    raise  # otherwise an earlier attempt released it, but its answer was lost

        self._unless_lost(send)

    def _tell(self, state: TrialState, value: float | None) -> None:
        def send() -> None:
            try:
                self._check()
            except LostTrialError:
                if self._was_told(state, value):
                    return  # an earlier attempt finished it, but its answer was lost
                raise
            told = self.study.tell(self.trial, value, state=state, skip_if_finished=True)
            if told.state != state:
                raise LostTrialError(f"trial {self.number} was already finished as {told.state.name}")

        self._unless_lost(send)

    def check_held(self) -> None:
        """Raises LostTrialError unless this process still holds the trial."""
        self._unless_lost(self._check)

    def _check(self) -> None:
        with self._held():
            pass

    def _held(self) -> AbstractContextManager[HeldTrial]:
        return held(self.study, self.trial, self.owner)

    def _was_told(self, state: TrialState, value: float | None) -> bool:
        """Whether this worker already finished the trial with this state and value."""
        trial = self._stored()
        mine = Owner.from_attribute(trial.user_attrs.get(OWNER_KEY)) == self.owner
        return mine and trial.state == state and value in (None, trial.value)

    def _stored(self) -> FrozenTrial:
        """The trial as stored in the database."""
        return self.study._storage.get_trial(self.trial._trial_id)

    def _unless_lost(self, send: Callable[[], _Result]) -> _Result:
        try:
            return self.retry.call(send)
        except (UpdateFinishedTrialError, KeyError) as error:
            raise LostTrialError(f"trial {self.number} was finished or deleted by another process") from error


@dataclass(frozen=True)
class Claims:
    """Claims on the trials of one study, for one worker. ``budget`` is the number of trials to finish."""

    url: StorageUrl
    study: optuna.Study
    budget: int
    make_sampler: Callable[[int], optuna.samplers.BaseSampler]
    """Makes the sampler for a trial, seeded by the trial's number so that no two workers draw the same values."""
    retry: DatabaseRetry
    owner: Owner = field(default_factory=Owner.new)

    def heartbeat(self) -> Heartbeat:
        """The heartbeat of this worker's trials."""
        return Heartbeat(self.study)

    def is_finished(self) -> bool:
        """Whether the budget is met. Raises StorageError if the study was deleted."""
        with explain_if_deleted(self.study.study_name):
            return self.retry.call(lambda: finished_count(self.study)) >= self.budget

    def next(self, in_hand: Collection[int] = ()) -> Claim | None:
        """Claim a trial to run, or return None while other workers hold all that are left.

        Trials whose worker has died come first; a new trial starts only while finished and running trials together are
        fewer than the budget. ``in_hand`` are the numbers of the trials that the worker is running: beside others, it
        gets none that may kill its process. Raises StorageError if the study was deleted.
        """
        with explain_if_deleted(self.study.study_name):
            try:
                return self.retry.call(lambda: self._next(in_hand))
            except UpdateFinishedTrialError:
                return None  # its worker finished it between our query and our claim

    def _next(self, in_hand: Collection[int]) -> Claim | None:
        with turn(self.url, self.study.study_name):
            trial = self._abandoned(in_hand) or self._begun()
            if trial is None:
                return None
            self.study.sampler = self.make_sampler(trial.number)
            # Create the trial object again: its own sampler prepares the trial while no other process can claim it.
            trial = optuna.Trial(self.study, trial._trial_id)
            beat(self.study, trial._trial_id)
            trial.set_user_attr(OWNER_KEY, self.owner.as_attribute())
            return Claim(self.study, trial, self.owner, self.retry, LostWorkers.of(trial.user_attrs))

    def _begun(self) -> optuna.Trial | None:
        """A new trial, if the budget allows one."""
        return self.study.ask() if self._taken() < self.budget else None

    def _taken(self) -> int:
        """Number of finished and running trials."""
        return self.study._storage.get_n_trials(self.study._study_id, (TrialState.RUNNING, *FINISHED))

    def _abandoned(self, in_hand: Collection[int]) -> optuna.Trial | None:
        """A running trial without a living worker; one that must not continue is marked as failed instead."""
        running = self.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
        silent = silent_trials(self.study) if running else frozenset()
        for frozen in running:
            holder = holder_of(frozen, silent)
            # A trial of this worker that it is not running: it was claimed, and the database's answer was lost.
            if holder is not None and (holder != self.owner or frozen.number in in_hand):
                continue
            lost_workers = add_lost_worker(frozen) if holder is None else LostWorkers.of(frozen.user_attrs)
            if lost_workers.exceed_limit:
                self._fail(
                    frozen,
                    f"{lost_workers.count} workers in a row died while running it, after step {lost_workers.step}",
                )
            elif self._taken() > self.budget:
                # Two workers start the last trial at once if the server closed a connection and so released its lock.
                self._fail(frozen, "it was started beyond the budget, while the connection to the database was lost")
            elif not in_hand or not lost_workers.need_isolation:
                return self._taken_up(frozen, lost_workers)
        return None

    def _taken_up(self, frozen: FrozenTrial, lost_workers: LostWorkers) -> optuna.Trial:
        trial = optuna.Trial(self.study, frozen._trial_id)
        if lost_workers != LostWorkers.of(frozen.user_attrs):
            _log.info("trial %d lost its worker %s: resuming it", trial.number, Owner(**frozen.user_attrs[OWNER_KEY]))
            trial.set_user_attr(LOST_WORKERS_KEY, lost_workers.as_attribute())
        return trial

    def _fail(self, trial: FrozenTrial, reason: str) -> None:
        _log.warning("trial %d failed: %s", trial.number, reason)
        optuna.Trial(self.study, trial._trial_id).set_user_attr(FAILURE_KEY, reason)
        self.study.tell(trial.number, state=TrialState.FAIL)


def turn(url: StorageUrl, name: str) -> AbstractContextManager[None]:
    """A context in which no other process can claim a trial of the study ``name``."""
    return exclusive(url, f"claims:{name}")


def holder_of(trial: FrozenTrial, silent: frozenset[int]) -> Owner | None:
    """The process that holds a running trial, or None if it was released or its process is gone.

    ``silent`` are the ids of the trials without a recent heartbeat. It counts only for processes on other machines: a
    process on this one can be checked, and keeps its trial however long the database was unreachable.
    """
    owner = Owner.from_attribute(trial.user_attrs.get(OWNER_KEY))
    if owner is None:
        return None
    gone = owner.is_certainly_dead() if owner.is_here else trial._trial_id in silent
    return None if gone else owner
