"""A worker that was suspended while its study was deleted and created again leaves the new study alone."""

import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import optuna
import psutil
import pytest
from optuna.trial import TrialState

from nlb_search.search.creation.study_creation import StudyRequest, create_or_open
from nlb_search.search.sampling.spaces.space_file import parse_space
from nlb_search.search.study.open_study import Locations, OpenStudy
from nlb_search.storage.database.opening import open_database
from tests.helpers.processes.command import start

SMALL = parse_space("small.toml", "hidden = 4\nbidirectional = false\ninput_size = 'DT'")


@pytest.fixture
def old(begun: Callable[..., OpenStudy]) -> OpenStudy:
    """A study whose trials take seconds."""
    return begun(architectures=("GRU(1) -> FF -> exp",), space=SMALL, trials=40, epochs=200)


@pytest.fixture
def suspended(old: OpenStudy, tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A worker of the study, suspended while it trains a trial."""
    where = ("--storage", old.locations.url.with_password, "--artifacts", old.locations.artifacts)
    process = start("worker", "study", *where, "--data", old.locations.data, cwd=tmp_path)
    until = time.monotonic() + 60
    try:
        while not any(trial.intermediate_values for trial in old.study.get_trials(deepcopy=False)):
            assert time.monotonic() < until, "the worker did not start"
            time.sleep(0.05)
        while not _suspend_outside_transactions(process, str(old.locations.url.sqlite_file)):
            assert time.monotonic() < until, "the worker holds the database's lock"
        yield process
    finally:
        process.kill()
        process.wait()


def _suspend_outside_transactions(process: "subprocess.Popen[str]", database: str) -> bool:
    """Suspend the process, unless it holds the lock of the database, which nobody else could use then.

    Returns whether it is suspended.
    """
    process.send_signal(signal.SIGSTOP)
    while psutil.Process(process.pid).status() != psutil.STATUS_STOPPED:
        assert process.poll() is None, "the worker has ended"
        time.sleep(0.01)
    try:
        with closing(sqlite3.connect(database, timeout=0)) as connection:
            connection.execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError:
        process.send_signal(signal.SIGCONT)
        time.sleep(0.01)
        return False
    return True


def test_suspended_worker_does_not_work_on_a_new_study(
    old: OpenStudy, suspended: subprocess.Popen[str], locations: Locations, tmp_path: Path
) -> None:
    optuna.delete_study(study_name="study", storage=open_database(locations.url))
    request = StudyRequest(dataset="mc_rtt", architectures=("FF -> exp",), trials=6, epochs=2)
    new = create_or_open(locations, "study", request)
    assert new.study._study_id == old.study._study_id, "SQLite gives the id again"
    before = new.study.get_trials()
    suspended.send_signal(signal.SIGCONT)
    assert suspended.wait(120) == 1
    assert "the study 'study' was deleted while it was running, and another study" in (tmp_path / "log").read_text()
    assert new.study.get_trials() == before
    assert [trial.state for trial in before] == [TrialState.WAITING]
    assert list(new.checkpoints.folder.iterdir()) == []
