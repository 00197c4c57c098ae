"""Writes to a trial that check, in the same transaction, that this worker still holds it.

Optuna's public functions read the trial again and commit every write separately. This file uses the private functions
of its storage that leave the commit to the caller. Only this file calls them.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import optuna
import sqlalchemy
from optuna.storages import RDBStorage
from optuna.storages._rdb.models import TrialModel, TrialUserAttributeModel
from optuna.storages._rdb.storage import _create_scoped_session
from sqlalchemy.orm import Session

from nlb_search.storage.claims.owner import OWNER_KEY, Owner
from nlb_search.storage.errors import LostTrialError


@dataclass(frozen=True)
class HeldTrial:
    """A trial within a transaction. Other processes see the writes when the transaction ends, all or none."""

    _database: RDBStorage
    _session: Session
    _trial_id: int

    def report(self, value: float, step: int) -> None:
        self._database._set_trial_intermediate_value_without_commit(self._session, self._trial_id, step, value)

    def set_user_attr(self, key: str, value: Any) -> None:
        self._database._set_trial_attr_without_commit(
            self._session, TrialUserAttributeModel, self._trial_id, key, value
        )


@contextmanager
def trial_transaction(study: optuna.Study, trial: optuna.Trial, owner: Owner) -> Iterator[HeldTrial]:
    """A transaction on a trial. Raises LostTrialError unless the trial is running and ``owner`` still holds it."""
    database: RDBStorage = study._storage._backend  # type: ignore[attr-defined]
    with _create_scoped_session(database.scoped_session, ignore_integrity_error=True) as session:
        _check(session, trial, owner)
        yield HeldTrial(database, session, trial._trial_id)


def _check(session: Session, trial: optuna.Trial, owner: Owner) -> None:
    is_owner = sqlalchemy.and_(
        TrialUserAttributeModel.trial_id == TrialModel.trial_id, TrialUserAttributeModel.key == OWNER_KEY
    )
    found = (
        session.query(TrialModel.state, TrialUserAttributeModel.value_json)
        .outerjoin(TrialUserAttributeModel, is_owner)
        .filter(TrialModel.trial_id == trial._trial_id)
        .one_or_none()
    )
    if found is None:
        raise LostTrialError(f"trial {trial.number} was deleted by another process")
    state, holder = found
    if state.is_finished():
        raise LostTrialError(f"trial {trial.number} was already finished as {state.name}")
    if holder is None or Owner.from_attribute(json.loads(holder)) != owner:
        raise LostTrialError(f"trial {trial.number} was taken over by another worker")
