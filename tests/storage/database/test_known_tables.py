import optuna
import pytest
import sqlalchemy
from optuna.storages import RDBStorage

from nlb_search.storage.database.known_tables import KnownTablesStorage
from nlb_search.storage.database.opening import GRACE_SECONDS, HEARTBEAT_SECONDS, engine_of, open_database
from nlb_search.storage.database.urls import StorageUrl
from nlb_search.storage.errors import StorageError


def _execute(url: StorageUrl, statement: str) -> None:
    engine = engine_of(open_database(url))
    with engine.begin() as connection:
        connection.execute(sqlalchemy.text(statement))
    engine.dispose()


def _known(url: StorageUrl) -> KnownTablesStorage:
    return KnownTablesStorage(url.for_optuna, {}, HEARTBEAT_SECONDS, GRACE_SECONDS)


def test_has_the_attributes_of_optunas_own_storage(url: StorageUrl) -> None:
    optunas = RDBStorage(url.for_optuna, heartbeat_interval=HEARTBEAT_SECONDS, grace_period=GRACE_SECONDS)
    assert vars(_known(url)).keys() == vars(optunas).keys() - {"_version_manager"}


def test_tables_are_known_once_they_are_complete(url: StorageUrl) -> None:
    assert not _known(url).has_known_tables
    open_database(url)
    assert _known(url).has_known_tables
    _execute(url, "DELETE FROM alembic_version")
    assert not _known(url).has_known_tables
    open_database(url)
    assert _known(url).has_known_tables, "completed by Optuna"


def test_tables_of_another_version_are_compared(url: StorageUrl) -> None:
    open_database(url)
    _execute(url, "UPDATE version_info SET library_version = '3.6.0'")
    assert optuna.get_all_study_names(open_database(url)) == [], "they have the same migrations"
    _execute(url, "UPDATE alembic_version SET version_num = 'v99.0.0.a'")
    with pytest.raises(StorageError, match="no longer compatible with the table schema"):
        open_database(url)
