"""The time that workers have spent on the trials of a study, and the study's budget of it.

A trial stores its seconds with every score that it reports. Their sum over all trials, failed ones too, counts towards
the budget of hours, if the study has one.
"""

import json
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import optuna
from optuna.storages import RDBStorage
from optuna.storages._rdb.models import TrialModel, TrialUserAttributeModel
from optuna.storages._rdb.storage import _create_scoped_session
from optuna.trial import FrozenTrial

from nlb_search.storage.claims.claim_lock import claim_lock
from nlb_search.storage.database.retrying import DatabaseRetry
from nlb_search.storage.database.urls import StorageUrl
from nlb_search.storage.errors import StorageError
from nlb_search.storage.studies import explain_if_deleted
from nlb_search.storage.study_attributes import read_attributes

SECONDS_KEY = "seconds"
"""User attribute of the trial that stores the time which workers have spent on it."""

HOURS_KEY = "budget_hours"
"""User attribute of the study that stores its budget of hours, if it was changed since the study was created."""

POLL_SECONDS = 2.0
"""Minimum time between two polls of a worker."""


@dataclass
class TimeSpent:
    """The seconds that workers have spent on a trial, counted up by the one that holds it."""

    seconds: float

    @classmethod
    def from_attributes(cls, attributes: Mapping[str, Any]) -> "TimeSpent":
        """Read from a trial's user attributes."""
        return cls(attributes.get(SECONDS_KEY, 0.0))


def hours_of(trials: Iterable[FrozenTrial]) -> float:
    """The hours that workers have spent on these trials."""
    return sum(TimeSpent.from_attributes(trial.user_attrs).seconds for trial in trials) / 3600


def hours_used(study: optuna.Study) -> float:
    """The hours that workers have spent on all trials of a study. One query."""
    database: RDBStorage = study._storage._backend  # type: ignore[attr-defined]
    with _create_scoped_session(database.scoped_session) as session:
        found = (
            session.query(TrialUserAttributeModel.value_json)
            .join(TrialModel, TrialModel.trial_id == TrialUserAttributeModel.trial_id)
            .filter(TrialModel.study_id == study._study_id, TrialUserAttributeModel.key == SECONDS_KEY)
            .all()
        )
    return float(sum(json.loads(value) for (value,) in found)) / 3600


def budget_hours_in(attributes: Mapping[str, Any], initial: float | None) -> float | None:
    """The budget of hours in a study's user attributes; ``initial`` is the one that it was created with, if any."""
    hours: float | None = attributes.get(HOURS_KEY, initial)
    return hours


def is_time_used(study: optuna.Study, attributes: Mapping[str, Any], initial: float | None) -> bool:
    """Whether the study has used its budget of hours; false if it has none. Takes user attributes that were read
    already.
    """
    budget = budget_hours_in(attributes, initial)
    return budget is not None and hours_used(study) >= budget


def change_budget_hours(url: StorageUrl, study: optuna.Study, hours: float) -> None:
    """Set the budget of hours of a study; its workers notice it within seconds.

    Raises StorageError if more hours were used already.
    """
    with claim_lock(url, study.study_name):
        used = hours_used(study)
        if hours <= used:
            raise StorageError(
                f"--budget-hours {hours:g} is not more than the {used:.2f} hours that the study '{study.study_name}' "
                "has used: give more"
            )
        study.set_user_attr(HOURS_KEY, hours)


class TimeLimit:
    """Whether a study has used its budget of hours, as polled by one worker."""

    def __init__(self, study: optuna.Study, initial: float | None, retry: DatabaseRetry) -> None:
        self._study, self._initial, self._retry = study, initial, retry
        self._is_reached, self._next_poll = False, 0.0

    def is_reached(self) -> bool:
        """Whether the budget is used, at most ``POLL_SECONDS`` old. Raises StorageError if the study was deleted."""
        if time.monotonic() >= self._next_poll:
            with explain_if_deleted(self._study.study_name):
                self._is_reached = self._retry.call(self._read)
            self._next_poll = time.monotonic() + POLL_SECONDS
        return self._is_reached

    def _read(self) -> bool:
        return is_time_used(self._study, read_attributes(self._study, HOURS_KEY), self._initial)
