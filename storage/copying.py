"""Moving a study to another storage: its rows as they are, and the files beside it.

Files come first, each whole or not at all, and then the rows in one transaction: a copy that was cut leaves no study,
and making it again completes it. Optuna's own ``copy_study`` adds trial by trial, each in a transaction of its own;
this copies the rows of Optuna's tables, whatever they hold, so that every number stays as it is to the last bit.
"""

import glob
import json
import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
from optuna.storages._rdb import models
from optuna.trial import TrialState
from sqlalchemy import Connection, Select, Table, func, select
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from nlb_search.storage.atomic_files import has_same_content, whole_file
from nlb_search.storage.checkpoints import check_folder
from nlb_search.storage.claims.claims import holder_of, turn
from nlb_search.storage.claims.heartbeat import silent_trials
from nlb_search.storage.claims.owner import OWNER_KEY
from nlb_search.storage.database.opening import GRACE_SECONDS, engine_of, open_database
from nlb_search.storage.database.retrying import reason_of
from nlb_search.storage.database.urls import StorageUrl
from nlb_search.storage.errors import StorageError
from nlb_search.storage.studies import open_study, study_names

_TABLES = models.BaseModel.metadata.tables
_STUDIES, _STUDY_ATTRIBUTES = _TABLES["studies"], _TABLES["study_system_attributes"]
_TRIALS, _TRIAL_ATTRIBUTES = _TABLES["trials"], _TABLES["trial_user_attributes"]
_ABOUT = {"study_id", "trial_id"}
_LEFT_OUT = ("trial_heartbeats",)
"""Signs of life of workers at the source: nobody works on the copy."""

_ABOUT_A_TRIAL = re.compile(r"(?<=^dashboard:)\d+(?=:note_)|(?<=^dashboard:artifacts:)\d+(?=:)")
"""The trial's id in the names under which optuna-dashboard keeps, in the study, a trial's note and files."""

_ROWS_AT_ONCE = 1000


@dataclass(frozen=True)
class Home:
    """Where studies live: their storage, and the folder that has a folder of files for each."""

    url: StorageUrl
    artifacts: Path


@dataclass(frozen=True)
class Copied:
    """How far a copy is: so many of ``total`` files, or, after them, rows."""

    what: str
    done: int
    total: int


def copy_study(name: str, source: Home, target: Home) -> Iterator[Copied]:
    """Copy the study ``name`` with its files, and yield how far it is; what is at the source stays as it is.

    Trials whose worker is gone are released in the copy: the next worker there continues with them. No worker of the
    source takes a trial meanwhile.

    Raises StorageError when there is no such study, when workers hold trials of it, when the target has a study of
    that name or other files in its folder, and when the copy is cut because a database or a disk failed.
    """
    database = open_database(source.url)
    study, _ = open_study(database, name)
    new_database = open_database(target.url)
    if name in study_names(new_database):
        raise _already_there(name, target)
    folder, new_folder = source.artifacts / name, target.artifacts / name
    if not folder.is_dir():
        raise StorageError(f"there is no folder {folder}: give the one of the study's checkpoints with --artifacts")
    if new_folder.resolve() == folder.resolve():
        raise StorageError(f"the copy needs checkpoints of its own, not those in {folder}: say where, --to-artifacts")
    check_folder(new_folder)
    try:
        with turn(source.url, name):
            _check_nobody_works(study)
            yield from _copy_files(folder, new_folder)
            # One transaction at the target: the study appears there when it is whole.
            with engine_of(database).connect() as old, engine_of(new_database).begin() as new:
                yield from _copy_rows(study, old, new)
    except IntegrityError as error:
        raise _already_there(name, target) from error
    except (SQLAlchemyError, OSError) as error:
        raise StorageError(f"the copy was cut ({reason_of(error)}): run it again, and it is completed") from error


def _check_nobody_works(study: optuna.Study) -> None:
    """Raises StorageError while a worker holds a trial of the study."""
    silent = silent_trials(study)
    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        if holder := holder_of(trial, silent):
            raise StorageError(
                f"trial {trial.number} of the study '{study.study_name}' is held by {holder}: end its workers "
                f"with `nlb-search stop`, then copy it; one killed on another machine counts for {GRACE_SECONDS} s more"
            )


def _already_there(name: str, target: Home) -> StorageError:
    return StorageError(
        f"there is a study '{name}' in {target.url} already: copy to another storage, or delete that one"
    )


def _copy_files(folder: Path, new_folder: Path) -> Iterator[Copied]:
    """Copy the files of a study, but for those that are there already, parts that nobody finished, and links."""
    here = (file for file in folder.rglob("*") if file.is_file() and not file.is_symlink())
    files = sorted(file for file in here if not file.name.startswith("."))
    for done, file in enumerate(files, start=1):
        copy = new_folder / file.relative_to(folder)
        if not copy.exists():
            for left in copy.parent.glob(f".{glob.escape(copy.name)}.*.part"):
                left.unlink()  # by a copy that was killed
            with whole_file(copy) as part:
                shutil.copyfile(file, part)
                if not has_same_content(file, part):
                    raise StorageError(f"the copy of {file} differs from the original: run it again, or check the disk")
        elif not has_same_content(file, copy):
            raise StorageError(
                f"{copy} is there already, and is not {file}: give another folder with --to-artifacts, "
                f"or remove {new_folder} if no study needs it"
            )
        yield Copied("files", done, len(files))


def _copy_rows(study: optuna.Study, source: Connection, target: Connection) -> Iterator[Copied]:
    """Copy the rows of a study under ids of its own at the target."""
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
        for part in source.execute(query).mappings().partitions(_ROWS_AT_ONCE):
            target.execute(table.insert(), [_moved(table, row, study_id, trial_ids) for row in part])
            done += len(part)
            yield Copied("rows", done, total)
    _release_running(target, study_id)


def _copy_trials(source: Connection, old_study_id: int, target: Connection, study_id: int) -> dict[int, int]:
    """Copy the bare trials in the order of their numbers; returns their ids at the target by those at the source."""
    trials = source.execute(_rows(_TRIALS, old_study_id)).mappings().all()
    if trials:
        target.execute(_TRIALS.insert(), [_moved(_TRIALS, trial, study_id, {}) for trial in trials])
    of_study = select(_TRIALS.c.number, _TRIALS.c.trial_id).where(_TRIALS.c.study_id == study_id)
    ids: dict[int, int] = dict(target.execute(of_study).all())
    return {trial["trial_id"]: ids[trial["number"]] for trial in trials}


def _is_copied(table: Table) -> bool:
    """Whether the table holds rows about a study or its trials, other than their own."""
    return table not in (_STUDIES, _TRIALS) and table.name not in _LEFT_OUT and not _ABOUT.isdisjoint(table.c.keys())


def _rows(table: Table, study_id: int) -> Select[Any]:
    """The rows of a table about one study, in the order in which they were made."""
    query = select(table)
    if "study_id" not in table.c:
        query = query.join(_TRIALS, table.c.trial_id == _TRIALS.c.trial_id)
    of_study = table if "study_id" in table.c else _TRIALS
    return query.where(of_study.c.study_id == study_id).order_by(*table.primary_key)


def _moved(table: Table, row: Mapping[Any, Any], study_id: int, trial_ids: dict[int, int]) -> dict[str, Any]:
    """A row as it is at the target: without its own id, which the target gives it, and about the trial's new one."""
    moved = {name: value for name, value in row.items() if name not in table.primary_key}
    if "study_id" in moved:
        moved["study_id"] = study_id
    if "trial_id" in moved:
        moved["trial_id"] = trial_ids[moved["trial_id"]]
    if table is _STUDY_ATTRIBUTES:
        # A study that was renamed in the dashboard still has the notes of trials that are gone.
        moved["key"] = _ABOUT_A_TRIAL.sub(lambda id: str(trial_ids.get(int(id[0]), f"gone-{id[0]}")), moved["key"])
    return moved


def _release_running(target: Connection, study_id: int) -> None:
    """Leave running trials without an owner."""
    running = select(_TRIALS.c.trial_id).where(_TRIALS.c.study_id == study_id, _TRIALS.c.state == TrialState.RUNNING)
    owner = (_TRIAL_ATTRIBUTES.c.key == OWNER_KEY) & _TRIAL_ATTRIBUTES.c.trial_id.in_(running)
    target.execute(_TRIAL_ATTRIBUTES.update().where(owner).values(value_json=json.dumps(None)))
