"""Some user attributes of a study, in one query. Optuna needs two queries and reads all of them."""

import json
from typing import Any

import optuna
import sqlalchemy
from optuna.storages import RDBStorage
from optuna.storages._rdb.models import StudyModel, StudyUserAttributeModel
from optuna.storages._rdb.storage import _create_scoped_session


def read_attributes(study: optuna.Study, *keys: str) -> dict[str, Any]:
    """The study's user attributes with these keys, without those that it does not have.

    Raises KeyError if the study was deleted or renamed: processes that know it by its old name take other locks.
    """
    database: RDBStorage = study._storage._backend  # type: ignore[attr-defined]
    has_key = sqlalchemy.and_(
        StudyUserAttributeModel.study_id == StudyModel.study_id, StudyUserAttributeModel.key.in_(keys)
    )
    with _create_scoped_session(database.scoped_session) as session:
        found = (
            session.query(StudyUserAttributeModel.key, StudyUserAttributeModel.value_json)
            .select_from(StudyModel)
            .outerjoin(StudyUserAttributeModel, has_key)
            .filter(StudyModel.study_id == study._study_id, StudyModel.study_name == study.study_name)
            .all()
        )
    if not found:
        raise KeyError(study._study_id)
    return {key: json.loads(value) for key, value in found if key is not None}
