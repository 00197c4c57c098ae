"""Creates studies for ``database_load``: writes thousands of finished trials to a database within seconds."""

import json
import random
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import optuna
import sqlalchemy
from optuna.distributions import distribution_to_json
from optuna.samplers import RandomSampler
from optuna.storages._rdb import models
from optuna.trial import FrozenTrial, TrialState

from nlb_search.search.creation.training_length import EVALUATIONS
from nlb_search.search.sampling.spaces.predefined_spaces import SPACES
from nlb_search.search.sampling.spaces.trial_parameters import sample
from nlb_search.search.study.open_study import Locations
from nlb_search.search.study.specification import SearchSpec, installed_versions
from nlb_search.storage.claims.owner import OWNER_KEY, Owner
from nlb_search.storage.database.opening import open_database
from nlb_search.storage.studies import make_study

CHAIN = "GRU(2) -> FF -> exp"
COMPLETE_SHARE = 0.6
SPEC = SearchSpec(
    dataset="mc_rtt",
    bin_ms=5,
    content_hash="0" * 64,
    architectures=(CHAIN,),
    space_name="wide",
    space=SPACES["wide"],
    sampler="tpe",
    pruner="median",
    trials=100_000,
    epochs=EVALUATIONS,
    evaluate_every=1,
    batch_size=32,
    seed=0,
    versions=installed_versions(),
)
ATTRIBUTES: tuple[dict[str, Any], ...] = (
    {"best_epoch": EVALUATIONS, "fp_bps": 0.11},
    {"vel_r2": 0.6, "psth_r2": 0.5},
    {"co_bps_low": 0.19, "co_bps_high": 0.22},
)
"""User attributes that search/workers/trial.py sets at the end of a trial, one dict per call."""


def score(rng: random.Random, evaluation: int) -> float:
    """The score of a synthetic learning curve at one evaluation."""
    return 0.3 * evaluation / EVALUATIONS + rng.gauss(0, 0.02)


def make(locations: Locations, name: str, finished: int) -> None:
    """Create a study with ``finished`` finished trials, 60% complete and the others pruned, in a few SQL statements."""
    database = open_database(locations.url)
    make_study(locations.url, database, name, SPEC.model_dump(mode="json"), [])
    study_id = optuna.load_study(study_name=name, storage=database)._study_id
    trials = _trials(finished)
    engine = sqlalchemy.create_engine(locations.url.sqlalchemy_url)
    with sqlalchemy.orm.Session(engine) as session:
        session.execute(sqlalchemy.insert(models.TrialModel), [_row(study_id, trial) for trial in trials])
        numbers = sqlalchemy.select(models.TrialModel.number, models.TrialModel.trial_id)
        id_of = dict(session.execute(numbers.where(models.TrialModel.study_id == study_id)).all())
        for model, rows_of in _ROWS.items():
            rows = [{"trial_id": id_of[trial.number], **row} for trial in trials for row in rows_of(trial)]
            session.execute(sqlalchemy.insert(model), rows)
        session.commit()
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(sqlalchemy.text("ANALYZE"))  # PostgreSQL does this itself after some time
    engine.dispose()


def _trials(finished: int) -> list[FrozenTrial]:
    """Random trials of the wide space."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(sampler=RandomSampler(seed=0), direction="maximize")
    rng = random.Random(0)
    for _ in range(finished):
        trial = study.ask()
        sample(trial, SPEC.space, SPEC.architectures)
        pruned = rng.random() > COMPLETE_SHARE
        n_evaluations = rng.randint(4, EVALUATIONS // 2) if pruned else EVALUATIONS
        for evaluation in range(1, n_evaluations + 1):
            trial.report(score(rng, evaluation), evaluation)
        for attributes in (
            {"architecture": CHAIN, "n_parameters": 150_000, "device": "cpu"},
            *(() if pruned else ATTRIBUTES),
        ):
            for key, value in attributes.items():
                trial.set_user_attr(key, value)
        study.tell(
            trial, None if pruned else score(rng, n_evaluations), TrialState.PRUNED if pruned else TrialState.COMPLETE
        )
    return study.get_trials(deepcopy=False)


def _row(study_id: int, trial: FrozenTrial) -> dict[str, Any]:
    began = datetime(2026, 1, 1) + timedelta(minutes=trial.number)
    return {
        "study_id": study_id,
        "number": trial.number,
        "state": trial.state,
        "_datetime_start_utc": began,
        "_datetime_complete_utc": began + timedelta(minutes=1),
    }


def _params(trial: FrozenTrial) -> Iterator[dict[str, Any]]:
    for name, value in trial.params.items():
        distribution = trial.distributions[name]
        yield {
            "param_name": name,
            "param_value": distribution.to_internal_repr(value),
            "distribution_json": distribution_to_json(distribution),
        }


def _value(trial: FrozenTrial) -> Iterator[dict[str, Any]]:
    yield {"objective": 0, "value": trial.value, "value_type": models.TrialValueModel.TrialValueType.FINITE}


def _reports(trial: FrozenTrial) -> Iterator[dict[str, Any]]:
    kind = models.TrialIntermediateValueModel.TrialIntermediateValueType.FINITE
    for step, value in trial.intermediate_values.items():
        yield {"step": step, "intermediate_value": value, "intermediate_value_type": kind}


def _user_attrs(trial: FrozenTrial) -> Iterator[dict[str, Any]]:
    for key, value in ({OWNER_KEY: Owner.new().as_attribute()} | trial.user_attrs).items():
        yield {"key": key, "value_json": json.dumps(value)}


def _system_attrs(trial: FrozenTrial) -> Iterator[dict[str, Any]]:
    """The system attribute that Optuna's TPESampler sets on each trial."""
    yield {"key": "tpe:relative_params:0", "value_json": json.dumps(json.dumps(trial.params))}


_ROWS: dict[Any, Callable[[FrozenTrial], Iterator[dict[str, Any]]]] = {
    models.TrialParamModel: _params,
    models.TrialValueModel: _value,
    models.TrialIntermediateValueModel: _reports,
    models.TrialUserAttributeModel: _user_attrs,
    models.TrialSystemAttributeModel: _system_attrs,
}
"""For each of Optuna's tables, a function that returns the rows of a trial."""
