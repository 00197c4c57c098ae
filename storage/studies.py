"""Studies by name: making, opening and listing them."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import optuna
from optuna.storages import BaseStorage
from optuna.study import StudyDirection
from optuna.trial import TrialState

from nlb_search.storage.database.locks import exclusive
from nlb_search.storage.database.urls import StorageUrl
from nlb_search.storage.errors import StorageError

SPEC_KEY = "spec"
"""The study's attribute that holds its specification, as a JSON text."""

SCORE = "co-bps"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


def check_name(name: str) -> None:
    """Raises StorageError for a name that a shell, a page's address or a file's name would trip over."""
    if not _NAME.fullmatch(name):
        raise StorageError(
            f"{name!r} cannot name a study: use letters, digits, dots, dashes and underscores, at most 100, "
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
            if not _is_unfinished(study):
                return False
        else:
            study = optuna.create_study(study_name=name, storage=database, direction="maximize")
            study.set_metric_names([SCORE])
        if start and not study.get_trials(deepcopy=False):
            study.enqueue_trial(start)
        # Last, for it is what makes the study whole: whoever finds none continues from here.
        study.set_user_attr(SPEC_KEY, json.dumps(spec))
        return True


def is_whole(database: BaseStorage, name: str) -> bool:
    """Whether there is a study ``name`` that needs nothing more from its maker, be it ours or another program's."""
    if name not in optuna.get_all_study_names(database):
        return False
    return not _is_unfinished(optuna.load_study(study_name=name, storage=database))


def _is_unfinished(study: optuna.Study) -> bool:
    """Whether the study's maker died before it was whole: no specification, and no trial that was ever begun."""
    begun = any(trial.state != TrialState.WAITING for trial in study.get_trials(deepcopy=False))
    return SPEC_KEY not in study.user_attrs and not begun and study.direction == StudyDirection.MAXIMIZE


@contextmanager
def explain_if_deleted(name: str) -> Iterator[None]:
    """Turns Optuna's KeyError for a study that somebody deleted into a StorageError that says so."""
    try:
        yield
    except KeyError as error:
        raise StorageError(f"the study '{name}' was deleted while it was worked on") from error


def open_study(database: BaseStorage, name: str) -> tuple[optuna.Study, dict[str, Any]]:
    """The study ``name`` and its specification.

    Raises StorageError when there is none, or when something else than nlb-search made it.
    """
    names = optuna.get_all_study_names(database)
    if name not in names:
        known = f"there are {', '.join(sorted(names))}" if names else "there is none yet"
        raise StorageError(f"there is no study '{name}' in this storage ({known}): make it with `nlb-search launch`")
    study = optuna.load_study(study_name=name, storage=database)
    # A name that we never give could lead out of the folder of checkpoints.
    if not _NAME.fullmatch(name) or SPEC_KEY not in study.user_attrs or study.direction != StudyDirection.MAXIMIZE:
        raise StorageError(f"the study {name!r} was not made by nlb-search: choose another name")
    return study, json.loads(study.user_attrs[SPEC_KEY])


def study_names(database: BaseStorage) -> list[str]:
    """Names of all studies of the storage, sorted."""
    return sorted(optuna.get_all_study_names(database))
