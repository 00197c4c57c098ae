"""Checking that no worker holds a trial of a study, before the whole study is copied, renamed or deleted."""

import optuna
from optuna.trial import TrialState

from nlb_search.storage.claims.heartbeat import stale_trial_ids
from nlb_search.storage.claims.owner import live_owner
from nlb_search.storage.database.opening import GRACE_SECONDS
from nlb_search.storage.errors import StorageError


def check_no_running_workers(study: optuna.Study) -> None:
    """Raise StorageError if a worker holds a trial of the study. Call it under the claim lock."""
    stale_ids = stale_trial_ids(study)
    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        if holder := live_owner(trial, stale_ids):
            raise StorageError(
                f"trial {trial.number} of the study '{study.study_name}' is held by {holder}: stop its workers "
                f"with `nlb-search stop` first; a worker killed elsewhere counts as running for {GRACE_SECONDS} s"
            )
