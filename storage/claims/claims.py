"""Claims: how workers share the trials of a study, and when the budget is met.

A trial keeps its number from its first worker to its last. If a worker dies, its trial stays in the state RUNNING, and
the next worker that asks takes it over under the same number: nothing is counted twice, the pruner sees one curve, and
the budget is met exactly.
"""

from collections.abc import Callable, Collection
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

import optuna
from optuna.exceptions import UpdateFinishedTrialError

from nlb_search.storage.claims.claim import Claim
from nlb_search.storage.claims.heartbeat import Heartbeat, beat
from nlb_search.storage.claims.lost_workers import LostWorkers
from nlb_search.storage.claims.owner import OWNER_KEY, Owner
from nlb_search.storage.claims.take_over import take_over
from nlb_search.storage.claims.trial_counts import finished_count, started_count
from nlb_search.storage.database.locks import exclusive
from nlb_search.storage.database.retrying import DatabaseRetry
from nlb_search.storage.database.urls import StorageUrl
from nlb_search.storage.studies import explain_if_deleted
from nlb_search.storage.study_identity import check_identity


@dataclass(frozen=True)
class Claims:
    """Claims on the trials of one study, for one worker. ``budget`` is the number of trials to finish."""

    url: StorageUrl
    study: optuna.Study
    identity: str
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
        gets none that may kill its process. Raises StorageError if the study was deleted, or replaced by another one.
        """
        with explain_if_deleted(self.study.study_name):
            try:
                return self.retry.call(lambda: self._next(in_hand))
            except UpdateFinishedTrialError:
                return None  # its worker finished it between our query and our claim

    def _next(self, in_hand: Collection[int]) -> Claim | None:
        with claim_lock(self.url, self.study.study_name):
            # Under the lock, which for SQLite also creating a study takes: only SQLite gives an id to a second study.
            check_identity(self.study, self.identity)
            trial = take_over(self.study, self.owner, self.budget, in_hand) or self._new_trial()
            if trial is None:
                return None
            self.study.sampler = self.make_sampler(trial.number)
            # Create the trial object again: its own sampler prepares the trial while no other process can claim it.
            trial = optuna.Trial(self.study, trial._trial_id)
            beat(self.study, trial._trial_id)
            trial.set_user_attr(OWNER_KEY, self.owner.as_attribute())
            return Claim(self.study, trial, self.owner, self.retry, LostWorkers.of(trial.user_attrs))

    def _new_trial(self) -> optuna.Trial | None:
        """A new trial, if the budget allows one."""
        return self.study.ask() if started_count(self.study) < self.budget else None


def claim_lock(url: StorageUrl, name: str) -> AbstractContextManager[None]:
    """A context in which no other process can claim a trial of the study ``name``."""
    return exclusive(url, f"claims:{name}")
