"""Reads whole trials from the tables of Optuna.

Optuna builds an object for each row of each trial, which takes most of the time of a query: a trial has a row for each
evaluation, setting and attribute. Here the rows stay tuples.
"""

import json
import math
from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import sqlalchemy
from optuna.distributions import BaseDistribution, json_to_distribution
from optuna.storages._rdb import models
from optuna.trial import FrozenTrial
from sqlalchemy.orm import Session

_NOT_FINITE = {"INF_POS": math.inf, "INF_NEG": -math.inf, "NAN": math.nan}
"""The values that a column of floats cannot hold, by the name of their type."""

_Rows = dict[int, list[Any]]


def read_trials(session: Session, trial_ids: Sequence[int]) -> list[FrozenTrial]:
    """The trials with these ids, without those that do not exist, in the order of their ids."""
    trial = models.TrialModel
    columns = trial.trial_id, trial.number, trial.state, trial._datetime_start_utc, trial._datetime_complete_utc
    query = sqlalchemy.select(*columns).where(trial.trial_id.in_(trial_ids)).order_by(trial.trial_id)
    # The states are read first: everything that belongs to a finished trial was written before its state.
    trials = session.execute(query).all()

    def rows(model: Any, *columns: Any) -> _Rows:
        found: _Rows = defaultdict(list)
        for trial_id, *row in session.execute(
            sqlalchemy.select(model.trial_id, *columns).where(model.trial_id.in_(trial_ids))
        ):
            found[trial_id].append(row)
        return found

    param, value, step = models.TrialParamModel, models.TrialValueModel, models.TrialIntermediateValueModel
    user, system = models.TrialUserAttributeModel, models.TrialSystemAttributeModel
    params = rows(param, param.param_id, param.param_name, param.param_value, param.distribution_json)
    values = rows(value, value.objective, value.value, value.value_type)
    user_attrs, system_attrs = (rows(model, model.key, model.value_json) for model in (user, system))
    reports = rows(step, step.step, step.intermediate_value, step.intermediate_value_type)

    def built(trial_id: int, number: int, state: Any, start: datetime | None, complete: datetime | None) -> FrozenTrial:
        settings = [(name, of, _distribution(text)) for _, name, of, text in sorted(params[trial_id])]
        return FrozenTrial(
            number=number,
            state=state,
            value=None,
            values=[_float(of, kind) for _, of, kind in sorted(values[trial_id], key=lambda row: row[0])] or None,
            datetime_start=_local(start),
            datetime_complete=_local(complete),
            params={name: distribution.to_external_repr(of) for name, of, distribution in settings},
            distributions={name: distribution for name, _, distribution in settings},
            user_attrs={key: json.loads(text) for key, text in user_attrs[trial_id]},
            system_attrs={key: json.loads(text) for key, text in system_attrs[trial_id]},
            intermediate_values={at: _float(of, kind) for at, of, kind in reports[trial_id]},
            trial_id=trial_id,
        )

    return [built(*row) for row in trials]


@lru_cache(maxsize=1000)
def _distribution(text: str) -> BaseDistribution:
    """Trials share equal distributions: there are few, one for each parameter of a search space."""
    return json_to_distribution(text)


def _float(value: float | None, kind: Any) -> float:
    return _NOT_FINITE[kind.name] if value is None else value


def _local(utc: datetime | None) -> datetime | None:
    """The naive local time of a naive time in UTC, as Optuna's trials have it."""
    return None if utc is None else utc.replace(tzinfo=UTC).astimezone().replace(tzinfo=None)
