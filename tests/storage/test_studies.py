from multiprocessing.queues import SimpleQueue
from pathlib import Path

import optuna
import pytest
from optuna.study import StudyDirection

from nlb_search.storage.database.opening import open_database
from nlb_search.storage.database.urls import StorageUrl, parse_url
from nlb_search.storage.errors import StorageError
from nlb_search.storage.studies import SPEC_KEY, is_complete, make_study, open_study, study_names
from tests.helpers.processes.forked import FORKED


def test_study_is_created_once_and_opened_with_its_specification(url: StorageUrl) -> None:
    database = open_database(url)
    assert make_study(url, database, "first", {"seed": 1}, starts=[])
    assert not make_study(url, database, "first", {"seed": 2}, starts=[])
    stored = open_study(open_database(url), "first")
    assert stored.spec == {"seed": 1}
    assert stored.study.direction == optuna.study.StudyDirection.MAXIMIZE
    assert study_names(database) == ["first"]


def _make(url_text: str, made: "SimpleQueue[bool]") -> None:
    url = parse_url(url_text)
    made.put(make_study(url, open_database(url), "study", {"seed": 0}, [{"x": 1.0}]))


def test_six_concurrent_processes_create_one_study(url: StorageUrl) -> None:
    made = FORKED.SimpleQueue()
    makers = [FORKED.Process(target=_make, args=(url.with_password, made)) for _ in range(6)]
    for maker in makers:
        maker.start()
    for maker in makers:
        maker.join(120)
    assert [maker.exitcode for maker in makers] == [0] * 6
    assert sorted(made.get() for _ in makers) == [False] * 5 + [True]
    study = open_study(open_database(url), "study").study
    assert len(study.trials) == 1


def test_partially_created_study_is_completed(url: StorageUrl) -> None:
    database = open_database(url)
    optuna.create_study(study_name="half", storage=database, direction="maximize")
    assert not is_complete(database, "half")
    with pytest.raises(StorageError, match="was not created by nlb-search"):
        open_study(database, "half")
    assert make_study(url, database, "half", {"seed": 3}, starts=[{"x": 0.5}])
    assert is_complete(database, "half")
    stored = open_study(database, "half")
    assert stored.spec == {"seed": 3}
    assert len(stored.study.trials) == 1


def test_study_of_another_program_is_unchanged(url: StorageUrl) -> None:
    database = open_database(url)
    optuna.create_study(study_name="theirs", storage=database).optimize(lambda trial: trial.suggest_float("x", 0, 1), 1)
    assert not make_study(url, database, "theirs", {"seed": 3}, starts=[])
    with pytest.raises(StorageError, match="was not created by nlb-search"):
        open_study(database, "theirs")
    assert SPEC_KEY not in optuna.load_study(study_name="theirs", storage=database).user_attrs


def test_study_has_the_objectives_that_it_was_created_with(url: StorageUrl) -> None:
    database = open_database(url)
    objectives = {"co-bps": StudyDirection.MAXIMIZE, "n-parameters": StudyDirection.MINIMIZE}
    assert make_study(url, database, "both", {}, starts=[], objectives=objectives)
    study = open_study(open_database(url), "both").study
    assert study.directions == list(objectives.values())
    assert study.metric_names == list(objectives)


def test_multi_objective_study_of_another_program_is_named_and_unchanged(url: StorageUrl) -> None:
    database = open_database(url)
    theirs = optuna.create_study(study_name="theirs", storage=database, directions=["minimize", "maximize"])
    theirs.optimize(lambda trial: (trial.suggest_float("x", 0, 1), 1.0), 1)
    assert not make_study(url, database, "theirs", {}, starts=[])
    with pytest.raises(StorageError, match="'theirs' was not created by nlb-search"):
        open_study(database, "theirs")


def test_missing_study_error_lists_existing_studies(url: StorageUrl) -> None:
    database = open_database(url)
    make_study(url, database, "first", {}, starts=[])
    with pytest.raises(StorageError, match=r"there is no study 'frist' in this storage \(it has: first\)"):
        open_study(database, "frist")


@pytest.mark.parametrize("name", ["", "a/b", "../x", "-x", "a b", "x" * 101, "a\n"])
def test_invalid_study_names_are_rejected(url: StorageUrl, name: str) -> None:
    with pytest.raises(StorageError, match="is not a valid study name"):
        make_study(url, open_database(url), name, {}, starts=[])


def test_study_name_with_path_traversal_is_not_opened(url: StorageUrl) -> None:
    database = open_database(url)
    study = optuna.create_study(study_name="../../x", storage=database, direction="maximize")
    study.set_user_attr(SPEC_KEY, "{}")
    with pytest.raises(StorageError, match=r"the study '\.\./\.\./x' was not created by nlb-search"):
        open_study(database, "../../x")


def test_file_that_is_not_a_database_is_named(tmp_path: Path) -> None:
    file = tmp_path / "notes.db"
    file.write_text("not a database, but long enough to be read as one" * 10)
    with pytest.raises(StorageError, match=r"cannot open the storage sqlite:///.*notes\.db: file is not a database"):
        open_database(parse_url(f"sqlite:///{file}"))


def test_unreachable_server_is_named_without_password() -> None:
    with pytest.raises(StorageError, match="cannot open the storage") as error:
        open_database(parse_url("postgresql://lab:secret@127.0.0.1:1/studies"))
    assert "secret" not in str(error.value)
    assert len(str(error.value).splitlines()) == 1
