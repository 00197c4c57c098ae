"""Copy a study to another storage: its database rows and its checkpoint files.

Files are copied first, each atomically, then all rows in one transaction: an interrupted copy leaves no study in the
target, and running it again completes it. Optuna's ``copy_study`` uses a separate transaction for every trial; this
module copies the rows of Optuna's tables unchanged, so every number is identical to the last bit.
"""

import glob
import json
import re
import shutil
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
from optuna.storages._rdb import models
from optuna.trial import TrialState
from sqlalchemy import Connection, Select, Table, func, select
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from nlb_search.storage.atomic_files import atomic_file, has_same_content
from nlb_search.storage.checkpoints import check_folder, study_folder
from nlb_search.storage.claims.claim_lock import claim_lock
from nlb_search.storage.claims.owner import OWNER_KEY
from nlb_search.storage.claims.running_workers import check_no_running_workers
from nlb_search.storage.database.failures import reason_of
from nlb_search.storage.database.opening import engine_of, open_database
from nlb_search.storage.database.urls import StorageUrl
from nlb_search.storage.errors import StorageError
from nlb_search.storage.studies import open_study, study_names
from nlb_search.storage.study_identity import IDENTITY_KEY, copied_identity

_TABLES = models.BaseModel.metadata.tables
_STUDIES, _STUDY_ATTRIBUTES = _TABLES["studies"], _TABLES["study_system_attributes"]
_TRIALS, _TRIAL_ATTRIBUTES = _TABLES["trials"], _TABLES["trial_user_attributes"]
_FOREIGN_KEYS = {"study_id", "trial_id"}
_SKIPPED_TABLES = ("trial_heartbeats",)
"""The heartbeats of the source's workers: the copy has no workers yet."""

_DASHBOARD_TRIAL_ID = re.compile(r"(?<=^dashboard:)\d+(?=:note_)|(?<=^dashboard:artifacts:)\d+(?=:)")
"""The trial id in the study attributes under which optuna-dashboard stores a trial's note and files."""

_ROWS_PER_INSERT = 1000


@dataclass(frozen=True)
class StudyLocation:
    """A storage, and the folder with one subfolder of checkpoints per study."""

    url: StorageUrl
    artifacts: Path


@dataclass(frozen=True)
class CopyProgress:
    """Progress of a copy: ``done`` of ``total`` items. ``what`` names the items: first "files", then "rows"."""

    what: str
    done: int
    total: int


def copy_study(name: str, source: StudyLocation, target: StudyLocation) -> Iterator[CopyProgress]:
    """Copy the study ``name`` with its files and yield the progress. The source is not changed.

    Trials whose worker has died are released in the copy, so that the next worker there resumes them. During the copy,
    no worker of the source can claim a trial. The copy is a separate study, with its own identity and folder.

    Raises StorageError if the study does not exist or has running trials, if the target has a study of that name or
    different files in its folder, or if a database or a disk fails during the copy.
    """
    database = open_database(source.url)
    stored = open_study(database, name)
    new_database = open_database(target.url)
    if name in study_names(new_database):
        raise _already_there(name, target)
    # The host, because a file's URL names another file on another machine.
    origin = (socket.gethostname(), str(source.url), stored.identity, str(target.url))
    identity = copied_identity(name, *origin)
    folder, new_folder = study_folder(source.artifacts, stored.identity), study_folder(target.artifacts, identity)
    if not folder.is_dir():
        raise StorageError(f"the folder {folder} does not exist: name the study's checkpoint folder with --artifacts")
    check_folder(new_folder)
    try:
        with claim_lock(source.url, name):
            check_no_running_workers(stored.study)
            yield from _copy_files(folder, new_folder)
            # One transaction at the target: the study appears there only when it is complete.
            with engine_of(database).connect() as old, engine_of(new_database).begin() as new:
                yield from _copy_rows(stored.study, identity, old, new)
    except IntegrityError as error:
        raise _already_there(name, target) from error
    except (SQLAlchemyError, OSError) as error:
        raise StorageError(f"the copy was interrupted ({reason_of(error)}): run it again to complete it") from error


def _already_there(name: str, target: StudyLocation) -> StorageError:
    return StorageError(f"{target.url} already has a study '{name}': copy to another storage, or delete that study")


def _copy_files(folder: Path, new_folder: Path) -> Iterator[CopyProgress]:
    """Copy the files of a study, except files that are already copied, unfinished temporary files, and links."""
    here = (file for file in folder.rglob("*") if file.is_file() and not file.is_symlink())
    files = sorted(file for file in here if not file.name.startswith("."))
    for done, file in enumerate(files, start=1):
        copy = new_folder / file.relative_to(folder)
        if not copy.exists():
            for left in copy.parent.glob(f".{glob.escape(copy.name)}.*.part"):
                left.unlink()  # left by a copy that was killed
            with atomic_file(copy) as part:
                shutil.copyfile(file, part)
                if not has_same_content(file, part):
                    raise StorageError(f"the copy of {file} differs from the original: run it again, or check the disk")
        elif not has_same_content(file, copy):
            raise StorageError(
                f"{copy} already exists and differs from {file}: choose another folder with --to-artifacts, "
                f"or delete {new_folder} if no study needs it"
            )
        yield CopyProgress("files", done, len(files))


def _copy_rows(study: optuna.Study, identity: str, source: Connection, target: Connection) -> Iterator[CopyProgress]:
    """Copy the rows of a study; the target assigns new ids, and the copy has its own identity."""
    made = target.execute(_STUDIES.insert().values(study_name=study.study_name)).inserted_primary_key
    assert made is not None
    study_id = made[0]
    trial_ids = _copy_trials(source, study._study_id, target, study_id)
    tables = [table for table in models.BaseModel.metadata.sorted_tables if _is_copied(table)]
    rows = {table: _rows(table, study._study_id) for table in tables}
    counts = (
        source.execute(select(func.count()).select_from(query.subquery())).scalar_one() for query in rows.values()
    )
    total, done = sum(counts), 0
    for table, query in rows.items():
        for part in source.execute(query).mappings().partitions(_ROWS_PER_INSERT):
            target.execute(table.insert(), [_moved(table, row, study_id, trial_ids) for row in part])
            done += len(part)
            yield CopyProgress("rows", done, total)
    _set_identity(target, study_id, identity)
    _release_running(target, study_id)


def _copy_trials(source: Connection, old_study_id: int, target: Connection, study_id: int) -> dict[int, int]:
    """Copy the rows of the trials table in the order of trial numbers. Returns the mapping of source to target ids."""
    trials = source.execute(_rows(_TRIALS, old_study_id)).mappings().all()
    if trials:
        target.execute(_TRIALS.insert(), [_moved(_TRIALS, trial, study_id, {}) for trial in trials])
    of_study = select(_TRIALS.c.number, _TRIALS.c.trial_id).where(_TRIALS.c.study_id == study_id)
    ids: dict[int, int] = dict(target.execute(of_study).all())
    return {trial["trial_id"]: ids[trial["number"]] for trial in trials}


def _is_copied(table: Table) -> bool:
    """Whether ``_copy_rows`` copies the table: its rows refer to a study or a trial."""
    if table in (_STUDIES, _TRIALS) or table.name in _SKIPPED_TABLES:
        return False
    return not _FOREIGN_KEYS.isdisjoint(table.c.keys())


def _rows(table: Table, study_id: int) -> Select[Any]:
    """Query the rows of a table that belong to one study, in insertion order."""
    query = select(table)
    if "study_id" not in table.c:
        query = query.join(_TRIALS, table.c.trial_id == _TRIALS.c.trial_id)
    of_study = table if "study_id" in table.c else _TRIALS
    return query.where(of_study.c.study_id == study_id).order_by(*table.primary_key)


def _moved(table: Table, row: Mapping[Any, Any], study_id: int, trial_ids: dict[int, int]) -> dict[str, Any]:
    """The row for the target: without its primary key, which the target assigns, and with the new foreign keys."""
    moved = {name: value for name, value in row.items() if name not in table.primary_key}
    if "study_id" in moved:
        moved["study_id"] = study_id
    if "trial_id" in moved:
        moved["trial_id"] = trial_ids[moved["trial_id"]]
    if table is _STUDY_ATTRIBUTES:
        # A study that was renamed in the dashboard may have notes on trials that no longer exist.
        moved["key"] = _DASHBOARD_TRIAL_ID.sub(lambda id: str(trial_ids.get(int(id[0]), f"gone-{id[0]}")), moved["key"])
    return moved


def _set_identity(target: Connection, study_id: int, identity: str) -> None:
    """Replace the identity of the source, which it does not have if version 0.4.0 created it."""
    attributes = _TABLES["study_user_attributes"]
    of_study = (attributes.c.study_id == study_id) & (attributes.c.key == IDENTITY_KEY)
    target.execute(attributes.delete().where(of_study))
    target.execute(attributes.insert().values(study_id=study_id, key=IDENTITY_KEY, value_json=json.dumps(identity)))


def _release_running(target: Connection, study_id: int) -> None:
    """Remove the owner of every running trial."""
    running = select(_TRIALS.c.trial_id).where(_TRIALS.c.study_id == study_id, _TRIALS.c.state == TrialState.RUNNING)
    owner = (_TRIAL_ATTRIBUTES.c.key == OWNER_KEY) & _TRIAL_ATTRIBUTES.c.trial_id.in_(running)
    target.execute(_TRIAL_ATTRIBUTES.update().where(owner).values(value_json=json.dumps(None)))
