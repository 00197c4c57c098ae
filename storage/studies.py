"""Create, open and list studies by name."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
from optuna.storages import BaseStorage
from optuna.study import StudyDirection
from optuna.trial import TrialState

from nlb_search.storage.checkpoints import Checkpoints, study_folder
from nlb_search.storage.database.locks import exclusive
from nlb_search.storage.database.urls import StorageUrl
from nlb_search.storage.errors import DeletedStudyError, InvalidNameError, StorageError
from nlb_search.storage.initial_trials import InitialTrials
from nlb_search.storage.study_identity import IDENTITY_KEY, new_identity, stored_identity

SPEC_KEY = "spec"
"""User attribute of the study that stores its specification, as JSON text."""

CO_BPS = {"co-bps": StudyDirection.MAXIMIZE}
"""Name and direction of the only objective of most studies."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


@dataclass(frozen=True)
class StoredStudy:
    """A study with its specification and identity, as they were read from the database at once."""

    study: optuna.Study
    spec: dict[str, Any]
    identity: str


def check_name(name: str) -> None:
    """Raises InvalidNameError if the name is not safe to use in a shell, a URL or a file name."""
    if not _NAME.fullmatch(name):
        raise InvalidNameError(
            f"{name!r} is not a valid study name: use at most 100 letters, digits, dots, dashes and underscores, "
            "starting with a letter or digit"
        )


def make_study(
    url: StorageUrl,
    database: BaseStorage,
    name: str,
    spec: dict[str, Any],
    starts: Sequence[dict[str, Any]],
    initial: InitialTrials | None = None,
    artifacts: Path = Path(),
    objectives: Mapping[str, StudyDirection] = CO_BPS,
) -> bool:
    """Create the study ``name`` with its specification unless it exists. Returns whether this call created it.

    ``initial`` are finished trials of another study, whose networks are copied to the folder ``artifacts`` of all
    studies. ``starts`` are the parameters of the next trials; the sampler chooses those of the others. ``objectives``
    are the names and directions of the trials' values; the first is maximized. If several processes call this at once,
    one creates the study and the others wait until it is complete. Raises StorageError if the name is not valid.
    """
    check_name(name)
    with exclusive(url, f"study:{name}"):
        if name in optuna.get_all_study_names(database):
            study = optuna.load_study(study_name=name, storage=database)
            if not _is_unfinished(study):
                return False
            optuna.delete_study(study_name=name, storage=database)
        study = optuna.create_study(study_name=name, storage=database, directions=list(objectives.values()))
        identity = new_identity(name)
        study.set_user_attr(IDENTITY_KEY, identity)  # first, because it tells an unfinished study from a foreign one
        study.set_metric_names(list(objectives))
        if initial is not None:
            initial.add_to(study, Checkpoints(study_folder(artifacts, identity)))
        for start in starts:
            study.enqueue_trial(start)
        # Last, because it marks the study as complete: a process that finds no specification continues from here.
        study.set_user_attr(SPEC_KEY, json.dumps(spec))
        return True


def is_complete(database: BaseStorage, name: str) -> bool:
    """Whether the study ``name`` exists and was created completely, by nlb-search or another program."""
    if name not in optuna.get_all_study_names(database):
        return False
    return not _is_unfinished(optuna.load_study(study_name=name, storage=database))


def _is_unfinished(study: optuna.Study) -> bool:
    """Whether the process that created the study died before it was complete: it has no specification.

    A study of another program, which has trials, has no identity either.
    """
    attributes = study.user_attrs
    if SPEC_KEY in attributes or study.directions[0] != StudyDirection.MAXIMIZE:
        return False
    begun = any(trial.state != TrialState.WAITING for trial in study.get_trials(deepcopy=False))
    return IDENTITY_KEY in attributes or not begun


@contextmanager
def explain_if_deleted(name: str) -> Iterator[None]:
    """Turn the KeyError for a deleted or renamed study into a DeletedStudyError."""
    try:
        yield
    except KeyError as error:
        raise DeletedStudyError(f"the study '{name}' was deleted or renamed while it was running") from error


def open_study(database: BaseStorage, name: str) -> StoredStudy:
    """Load the study ``name``.

    Raises StorageError if the study does not exist or was not created by nlb-search.
    """
    names = optuna.get_all_study_names(database)
    if name not in names:
        known = f"it has: {', '.join(sorted(names))}" if names else "it is empty"
        raise StorageError(f"there is no study '{name}' in this storage ({known}): create it with `nlb-search launch`")
    study = optuna.load_study(study_name=name, storage=database)
    # The name is checked again because one with a slash could lead out of the checkpoint folder.
    attributes = study.user_attrs
    if not _NAME.fullmatch(name) or SPEC_KEY not in attributes or study.directions[0] != StudyDirection.MAXIMIZE:
        raise StorageError(f"the study {name!r} was not created by nlb-search: choose another name")
    return StoredStudy(study, json.loads(attributes[SPEC_KEY]), stored_identity(name, attributes))


def study_names(database: BaseStorage) -> list[str]:
    """Names of all studies in the storage, sorted."""
    return sorted(optuna.get_all_study_names(database))


def study_identities(database: BaseStorage) -> set[str]:
    """Identities of all studies in the storage that nlb-search has created."""
    studies = (optuna.load_study(study_name=name, storage=database) for name in study_names(database))
    attributes = ((study.study_name, study.user_attrs) for study in studies)
    return {stored_identity(name, found) for name, found in attributes if IDENTITY_KEY in found}
