"""The budget of a study: the number of trials to finish. It can be changed while workers run."""

from collections.abc import Mapping
from typing import Any

import optuna

from nlb_search.storage.claims.claim_lock import claim_lock
from nlb_search.storage.claims.trial_counts import finished_count, started_count
from nlb_search.storage.database.urls import StorageUrl
from nlb_search.storage.errors import StorageError
from nlb_search.storage.study_attributes import read_attributes

BUDGET_KEY = "budget"
"""User attribute of the study that stores its budget, if it was changed since the study was created."""


def budget_in(attributes: Mapping[str, Any], initial: int) -> int:
    """The budget in a study's user attributes; ``initial`` is the one that it was created with."""
    return int(attributes.get(BUDGET_KEY, initial))


def budget_of(study: optuna.Study, initial: int) -> int:
    """The current budget of a study. Raises KeyError if the study was deleted."""
    return budget_in(read_attributes(study, BUDGET_KEY), initial)


def change_budget(url: StorageUrl, study: optuna.Study, trials: int) -> None:
    """Set the budget of a study; its workers notice it when they claim a trial.

    Raises StorageError if more trials have finished or are running.
    """
    with claim_lock(url, study.study_name):
        started, finished = started_count(study), finished_count(study)
        if trials < started:
            raise StorageError(
                f"--trials {trials} is less than the {finished} finished and {started - finished} running trials of "
                f"the study '{study.study_name}': give at least {started}"
            )
        study.set_user_attr(BUDGET_KEY, trials)
