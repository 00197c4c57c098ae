"""Renaming and deleting studies in SQLite and PostgreSQL."""

from pathlib import Path

import pytest

from nlb_search.storage.checkpoints import study_folder
from nlb_search.storage.database.opening import open_database
from nlb_search.storage.database.urls import StorageUrl
from nlb_search.storage.errors import DeletedStudyError, StorageError
from nlb_search.storage.studies import make_study, open_study, study_names
from nlb_search.storage.study_attributes import read_attributes
from nlb_search.storage.study_changes import delete_study, rename_study
from nlb_search.storage.study_identity import IDENTITY_KEY


def test_renamed_study_keeps_its_identity_and_trials(url: StorageUrl) -> None:
    database = open_database(url)
    for name in ("one", "two"):
        make_study(url, database, name, {"seed": 1}, starts=[{"x": 0.5}])
    stored = open_study(database, "one")
    with pytest.raises(StorageError, match="there is a study 'two' in this storage already"):
        rename_study(url, database, stored, "two")
    rename_study(url, database, stored, "three")
    renamed = open_study(open_database(url), "three")
    assert (renamed.identity, renamed.spec) == (stored.identity, {"seed": 1})
    assert len(renamed.study.trials) == 1
    assert study_names(open_database(url)) == ["three", "two"]
    with pytest.raises(KeyError):  # as for a deleted study
        read_attributes(stored.study, IDENTITY_KEY)


def test_deleted_study_is_gone_with_its_checkpoints_and_others_stay(url: StorageUrl, tmp_path: Path) -> None:
    database = open_database(url)
    for name in ("one", "two"):
        make_study(url, database, name, {}, starts=[{"x": 0.5}])
        folder = study_folder(tmp_path, open_study(database, name).identity)
        folder.mkdir()
        (folder / "trial-00000-best.safetensors").write_bytes(b"network")
    stored = open_study(database, "one")
    assert delete_study(url, database, stored, tmp_path) is None
    assert study_names(open_database(url)) == ["two"]
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == [open_study(database, "two").identity]
    with pytest.raises(DeletedStudyError, match="the study 'one' was deleted"):
        delete_study(url, database, stored, tmp_path)


def test_study_replaced_by_another_of_its_name_is_left_alone(url: StorageUrl, tmp_path: Path) -> None:
    database = open_database(url)
    make_study(url, database, "one", {}, starts=[])
    old = open_study(database, "one")
    delete_study(url, database, old, tmp_path)
    make_study(url, database, "one", {}, starts=[])
    for change in (
        lambda: delete_study(url, database, old, tmp_path),
        lambda: rename_study(url, database, old, "two"),
    ):
        with pytest.raises(DeletedStudyError):
            change()
    assert study_names(database) == ["one"]


def test_folder_that_a_study_of_version_0_4_0_may_share_is_kept(url: StorageUrl, tmp_path: Path) -> None:
    database = open_database(url)
    make_study(url, database, "one", {}, starts=[])
    study = open_study(database, "one").study
    study.set_user_attr(IDENTITY_KEY, "one")  # its checkpoints are found by its name
    stored = open_study(database, "one")
    with pytest.raises(StorageError, match="copy it with `nlb-search copy`"):
        rename_study(url, database, stored, "two")
    folder = study_folder(tmp_path, "one")
    folder.mkdir()
    assert delete_study(url, database, stored, tmp_path) == folder
    assert folder.is_dir()
