"""Changes to a whole study: its name, and its deletion with its checkpoints. No worker may hold a trial of it."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import optuna
from optuna.storages import BaseStorage
from optuna.storages._rdb.models import StudyModel
from sqlalchemy import update
from sqlalchemy.exc import IntegrityError

from nlb_search.storage.checkpoints import study_folder
from nlb_search.storage.claims.claim_lock import claim_lock
from nlb_search.storage.claims.running_workers import check_no_running_workers
from nlb_search.storage.database.opening import engine_of
from nlb_search.storage.database.urls import StorageUrl
from nlb_search.storage.errors import StorageError
from nlb_search.storage.studies import StoredStudy, check_name, explain_if_deleted, study_names
from nlb_search.storage.study_identity import check_identity


def rename_study(url: StorageUrl, database: BaseStorage, stored: StoredStudy, new_name: str) -> None:
    """Give a study another name. Its checkpoints stay in their folder, which is that of the study's identity.

    Raises StorageError if the name is not valid or not free, or if a worker holds a trial.
    """
    check_name(new_name)
    taken = StorageError(f"there is a study '{new_name}' in this storage already: choose another name")
    if new_name in study_names(database):
        raise taken
    if stored.identity == stored.study.study_name:
        raise StorageError(
            f"the study '{stored.study.study_name}' was created by version 0.4.0, and its checkpoints are found by its "
            "name: copy it with `nlb-search copy`, and rename the copy"
        )
    rename = update(StudyModel).where(StudyModel.study_id == stored.study._study_id).values(study_name=new_name)
    try:
        with _unused(url, stored), engine_of(database).begin() as connection:
            connection.execute(rename)
    except IntegrityError as error:  # another process took the name since
        raise taken from error


def delete_study(url: StorageUrl, database: BaseStorage, stored: StoredStudy, artifacts: Path) -> Path | None:
    """Delete a study, then its checkpoints in the folder ``artifacts`` of all studies.

    Returns the folder of the checkpoints if it was kept: that of a study of version 0.4.0 is found by the study's name
    and may belong to another study, too. Raises StorageError if a worker holds a trial, or if the folder cannot be
    deleted.
    """
    name = stored.study.study_name
    folder = study_folder(artifacts, stored.identity)
    with _unused(url, stored):
        optuna.delete_study(study_name=name, storage=database)
    if not folder.exists():
        return None
    if stored.identity == name:
        return folder
    try:
        shutil.rmtree(folder)
    except OSError as error:
        raise StorageError(
            f"the study '{name}' was deleted, but not its checkpoints ({error.strerror}): delete the folder {folder}"
        ) from error
    return None


@contextmanager
def _unused(url: StorageUrl, stored: StoredStudy) -> Iterator[None]:
    """A context in which no worker holds or can claim a trial of the study. Raises StorageError if one holds one."""
    with claim_lock(url, stored.study.study_name), explain_if_deleted(stored.study.study_name):
        check_identity(stored.study, stored.identity)
        check_no_running_workers(stored.study)
        yield
