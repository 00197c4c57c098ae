"""Taking over a running trial whose worker died or released it, under the same number."""

import logging
from collections.abc import Collection

import optuna
from optuna.trial import FrozenTrial, TrialState

from nlb_search.storage.claims.claim import FAILURE_KEY
from nlb_search.storage.claims.heartbeat import stale_trial_ids
from nlb_search.storage.claims.lost_workers import LOST_WORKERS_KEY, LostWorkers, add_lost_worker
from nlb_search.storage.claims.owner import OWNER_KEY, Owner, live_owner
from nlb_search.storage.claims.trial_counts import started_count

_log = logging.getLogger(__name__)


def take_over(study: optuna.Study, owner: Owner, budget: int, running_numbers: Collection[int]) -> optuna.Trial | None:
    """A running trial without a living worker, for ``owner`` to resume, or None.

    A trial that must not continue is marked as failed: too many workers died during it, or it exceeds ``budget``.
    ``running_numbers`` are the numbers of the trials that ``owner`` is running. If there are any, it gets no trial that
    may kill its process. Call it under the claim lock.
    """
    running = study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
    stale_ids = stale_trial_ids(study) if running else frozenset()
    for trial in running:
        holder = live_owner(trial, stale_ids)
        # A trial of this worker that it is not running: it was claimed, and the database's answer was lost.
        if holder is not None and (holder != owner or trial.number in running_numbers):
            continue
        lost_workers = add_lost_worker(trial) if holder is None else LostWorkers.from_attributes(trial.user_attrs)
        if lost_workers.exceed_limit:
            died = f"{lost_workers.count} workers in a row died while running it, after step {lost_workers.step}"
            _fail(study, trial, died)
        elif started_count(study) > budget:
            # Two workers start the last trial at once if the server closed a connection and so released its lock.
            _fail(study, trial, "it was started beyond the budget, while the connection to the database was lost")
        elif not running_numbers or not lost_workers.need_isolation:
            return _resumed(study, trial, lost_workers)
    return None


def _resumed(study: optuna.Study, trial: FrozenTrial, lost_workers: LostWorkers) -> optuna.Trial:
    resumed = optuna.Trial(study, trial._trial_id)
    if lost_workers != LostWorkers.from_attributes(trial.user_attrs):
        _log.info("trial %d lost its worker %s: resuming it", trial.number, Owner(**trial.user_attrs[OWNER_KEY]))
        resumed.set_user_attr(LOST_WORKERS_KEY, lost_workers.as_attribute())
    return resumed


def _fail(study: optuna.Study, trial: FrozenTrial, reason: str) -> None:
    _log.warning("trial %d failed: %s", trial.number, reason)
    optuna.Trial(study, trial._trial_id).set_user_attr(FAILURE_KEY, reason)
    study.tell(trial.number, state=TrialState.FAIL)
