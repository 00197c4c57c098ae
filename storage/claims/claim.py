"""Claim: one trial that a worker holds, until it is finished, released or lost."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, TypeVar

import optuna
from optuna.exceptions import UpdateFinishedTrialError
from optuna.trial import FrozenTrial, TrialState

from nlb_search.storage.claims.heartbeat import Heartbeat
from nlb_search.storage.claims.held_trial import HeldTrial, trial_transaction
from nlb_search.storage.claims.lost_workers import LostWorkers
from nlb_search.storage.claims.owner import OWNER_KEY, Owner
from nlb_search.storage.claims.time_used import SECONDS_KEY, TimeSpent
from nlb_search.storage.database.retrying import DatabaseRetry
from nlb_search.storage.database.trial_cache import cached_trials, fresh_trials
from nlb_search.storage.errors import LostTrialError

FAILURE_KEY = "failure"
"""User attribute of the trial that stores why it failed."""

_Result = TypeVar("_Result")


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
    spent: TimeSpent

    @property
    def number(self) -> int:
        return self.trial.number

    @property
    def scores(self) -> dict[int, float]:
        """The trial's reported scores by step. They are not read again, because only this worker reports them."""
        return self.trial._cached_frozen_trial.intermediate_values

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
        """Report a score of the running trial, and the time spent on it. Returns whether the pruner stops it.

        Optuna prunes no trial of a study with several objectives.
        """

        def send() -> bool:
            with self._held() as trial:
                # An earlier worker of this trial may have reported this step already.
                if step not in self.scores:
                    trial.report(value, step)
                trial.set_user_attr(SECONDS_KEY, round(self.spent.seconds, 3))
            self.scores.setdefault(step, value)
            with cached_trials(self.study):
                return len(self.study.directions) == 1 and self.trial.should_prune()

        return self._unless_lost(send)

    def set_user_attrs(self, **attributes: Any) -> None:
        """Store user attributes of the trial, in one transaction."""

        def send() -> None:
            with self._held() as trial:
                for key, value in attributes.items():
                    trial.set_user_attr(key, value)

        self._unless_lost(send)

    def complete(self, *values: float) -> None:
        """Finish the trial as complete, with the value of each objective of the study."""
        self._tell(TrialState.COMPLETE, values)

    def prune(self) -> None:
        """Finish the trial as pruned, with the last reported score."""
        self._tell(TrialState.PRUNED, None)

    def fail(self, reason: str) -> None:
        """Mark the trial as failed, with the reason. It no longer counts towards the budget."""
        self.set_user_attrs(**{FAILURE_KEY: reason})
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

    def _tell(self, state: TrialState, values: Sequence[float] | None) -> None:
        def send() -> None:
            try:
                self._check()
            except LostTrialError:
                if self._was_told(state, values):
                    return  # an earlier attempt finished it, but its answer was lost
                raise
            told = self.study.tell(self.trial, values, state=state, skip_if_finished=True)
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
        return trial_transaction(self.study, self.trial, self.owner)

    def _was_told(self, state: TrialState, values: Sequence[float] | None) -> bool:
        """Whether this worker already finished the trial with this state and these values."""
        trial = self._stored()
        mine = Owner.from_attribute(trial.user_attrs.get(OWNER_KEY)) == self.owner
        return mine and trial.state == state and (values is None or list(values) == trial.values)

    def _stored(self) -> FrozenTrial:
        """The trial as stored in the database."""
        return self.study._storage.get_trial(self.trial._trial_id)

    def _unless_lost(self, send: Callable[[], _Result]) -> _Result:
        try:
            return self.retry.call(send)
        except (UpdateFinishedTrialError, KeyError) as error:
            raise LostTrialError(f"trial {self.number} was finished or deleted by another process") from error
