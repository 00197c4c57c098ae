"""Studies by name: making, opening and listing them."""

import json
import re
from typing import Any

import optuna
from optuna.storages import BaseStorage
from optuna.study import StudyDirection

from storage.errors import StorageError
from storage.locks import exclusive
from storage.urls import StorageUrl

SPEC_KEY = "spec"
"""The study's attribute that holds its specification, as a JSON text."""

SCORE = "co-bps"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


def check_name(name: str) -> None:
    """Raises StorageError for a name that a shell, a page's address or a file's name would trip over."""
    if not _NAME.fullmatch(name):
        raise StorageError(
            f"'{name}' cannot name a study: use letters, digits, dots, dashes and underscores, at most 100, "
            "beginning with a letter or digit"
        )


def make_study(url: StorageUrl, database: BaseStorage, name: str, spec: dict[str, Any], start: dict[str, Any]) -> bool:
    """Make the study ``name`` with its specification, unless it is there; returns whether this call made it.

    ``start`` are the parameters of its first trial, or empty to let the sampler choose. Whoever comes second, from
    another process or machine, waits and finds a whole study.
    """
    check_name(name)
    with exclusive(url, f"study:{name}"):
        if name in optuna.get_all_study_names(database):
            study = optuna.load_study(study_name=name, storage=database)
            if SPEC_KEY in study.user_attrs or study.get_trials(deepcopy=False):
                return False
            # Empty and without a specification: its maker died before the next lines, so they are done now.
        else:
            study = optuna.create_study(study_name=name, storage=database, direction="maximize")
            study.set_metric_names([SCORE])
        study.set_user_attr(SPEC_KEY, json.dumps(spec))
        if start:
            study.enqueue_trial(start)
        return True


def open_study(database: BaseStorage, name: str) -> tuple[optuna.Study, dict[str, Any]]:
    """The study ``name`` and its specification.

    Raises StorageError when there is none, or when something else than nlb-search made it.
    """
    names = optuna.get_all_study_names(database)
    if name not in names:
        known = f"there are {', '.join(sorted(names))}" if names else "there is none yet"
        raise StorageError(f"there is no study '{name}' in this storage ({known}): make it with `nlb-search launch`")
    study = optuna.load_study(study_name=name, storage=database)
    if SPEC_KEY not in study.user_attrs or study.direction != StudyDirection.MAXIMIZE:
        raise StorageError(f"the study '{name}' was not made by nlb-search: choose another name")
    return study, json.loads(study.user_attrs[SPEC_KEY])


def study_names(database: BaseStorage) -> list[str]:
    """Names of all studies of the storage, sorted."""
    return sorted(optuna.get_all_study_names(database))
