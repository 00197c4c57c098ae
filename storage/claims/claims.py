"""Claims: how workers share the trials of a study, and when the budget is met.

A trial keeps its number from its first worker to its last. If a worker dies, its trial stays in the state RUNNING, and
the next worker that asks takes it over under the same number: nothing is counted twice, the pruner sees one curve, and
the budget is met exactly.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field

import optuna
from optuna.exceptions import UpdateFinishedTrialError
from optuna.trial import FrozenTrial

from nlb_search.storage.claims.budget import BUDGET_KEY, budget_in
from nlb_search.storage.claims.claim import Claim
from nlb_search.storage.claims.claim_lock import claim_lock
from nlb_search.storage.claims.heartbeat import Heartbeat, beat
from nlb_search.storage.claims.lost_workers import LostWorkers
from nlb_search.storage.claims.owner import OWNER_KEY, Owner
from nlb_search.storage.claims.take_over import take_over
from nlb_search.storage.claims.time_used import HOURS_KEY, TimeLimit, TimeSpent, is_time_used
from nlb_search.storage.claims.trial_counts import FINISHED, finished_count, started_count, waiting_count
from nlb_search.storage.database.retrying import DatabaseRetry
from nlb_search.storage.database.urls import StorageUrl
from nlb_search.storage.studies import explain_if_deleted
from nlb_search.storage.study_attributes import read_attributes
from nlb_search.storage.study_identity import IDENTITY_KEY, check_attributes


@dataclass(frozen=True)
class Claims:
    """Claims on the trials of one study, for one worker.

    ``budget`` is the number of trials to finish with which the study was created, ``hours`` its budget of hours, if it
    had one. ``needs_no_more`` is true of the finished trials if the search ends before the budget is met.
    """

    url: StorageUrl
    study: optuna.Study
    identity: str
    budget: int
    make_sampler: Callable[[int], optuna.samplers.BaseSampler]
    """Makes the sampler for a trial, seeded by the trial's number so that no two workers draw the same values."""
    retry: DatabaseRetry
    needs_no_more: Callable[[list[FrozenTrial]], bool] = lambda _finished: False
    hours: float | None = None
    owner: Owner = field(default_factory=Owner.new)

    def heartbeat(self) -> Heartbeat:
        """The heartbeat of this worker's trials."""
        return Heartbeat(self.study)

    def is_finished(self) -> bool:
        """Whether the budget of trials or hours is met, or no trial is running and no more are needed.

        Raises StorageError if the study was deleted.
        """
        with explain_if_deleted(self.study.study_name):
            return self.retry.call(self._is_finished)

    def _is_finished(self) -> bool:
        finished = finished_count(self.study)
        attributes = read_attributes(self.study, BUDGET_KEY, HOURS_KEY)
        if finished >= budget_in(attributes, self.budget) or is_time_used(self.study, attributes, self.hours):
            return True
        return finished == started_count(self.study) and self._has_enough()

    def _has_enough(self) -> bool:
        if waiting_count(self.study):
            return False  # the user asked for these trials
        return self.needs_no_more(self.study.get_trials(deepcopy=False, states=FINISHED))

    def next(self, running_numbers: Collection[int] = ()) -> Claim | None:
        """Claim a trial to run, or return None while other workers hold all that are left, or if no hours are left.

        Trials whose worker has died come first; a new trial starts only while finished and running trials together are
        fewer than the budget. ``running_numbers`` are the numbers of the trials that the worker is running. If there
        are any, it gets no trial that may kill its process. Raises StorageError if the study was deleted, or replaced
        by another one.
        """
        with explain_if_deleted(self.study.study_name):
            try:
                return self.retry.call(lambda: self._next(running_numbers))
            except UpdateFinishedTrialError:
                return None  # its worker finished it between our query and our claim

    def _next(self, running_numbers: Collection[int]) -> Claim | None:
        with claim_lock(self.url, self.study.study_name):
            # SQLite gives the id of a deleted study to a new one, so the identity is checked under the lock, which
            # creating a study takes, too.
            attributes = read_attributes(self.study, IDENTITY_KEY, BUDGET_KEY, HOURS_KEY)
            check_attributes(self.study, self.identity, attributes)
            if is_time_used(self.study, attributes, self.hours):
                return None
            budget = budget_in(attributes, self.budget)
            trial = take_over(self.study, self.owner, budget, running_numbers) or self._new_trial(budget)
            if trial is None:
                return None
            self.study.sampler = self.make_sampler(trial.number)
            # Create the trial object again: its own sampler prepares the trial while no other process can claim it.
            trial = optuna.Trial(self.study, trial._trial_id)
            beat(self.study, trial._trial_id)
            trial.set_user_attr(OWNER_KEY, self.owner.as_attribute())
            attributes = trial.user_attrs
            lost_workers, spent = LostWorkers.from_attributes(attributes), TimeSpent.from_attributes(attributes)
            return Claim(self.study, trial, self.owner, self.retry, lost_workers, spent)

    def time_limit(self) -> TimeLimit:
        """Whether the study's budget of hours is used, for a worker that runs trials."""
        return TimeLimit(self.study, self.hours, self.retry)

    def _new_trial(self, budget: int) -> optuna.Trial | None:
        """A new trial, if the budget allows one and more are needed."""
        return self.study.ask() if started_count(self.study) < budget and not self._has_enough() else None
