"""Workers follow pause, stop and resume without losing trials."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from optuna.trial import FrozenTrial, TrialState

from nlb_search.search.creation.study_creation import StudyRequest, create_or_open
from nlb_search.search.study.open_study import Locations, OpenStudy, open_named_study
from nlb_search.search.workers.shutdown import Stop
from nlb_search.search.workers.worker import work
from nlb_search.storage.claims.owner import OWNER_KEY
from nlb_search.storage.database.retrying import DatabaseRetry
from nlb_search.storage.database.urls import parse_url
from nlb_search.storage.study_commands import StudyCommand, send_command
from tests.helpers.processes.command import call
from tests.helpers.processes.slow_epochs import hold_epochs, slow_down_epochs
from tests.helpers.processes.waiting import wait_until

BUDGET, EPOCHS = 3, 12


@pytest.fixture
def study(recordings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> OpenStudy:
    """A study with slow epochs."""
    slow_down_epochs(monkeypatch, 0.1)
    monkeypatch.setattr("nlb_search.storage.study_commands.POLL_SECONDS", 0.1)
    locations = Locations(parse_url(f"sqlite:///{tmp_path}/nlb-search.db"), tmp_path / "artifacts", recordings)
    request = StudyRequest(dataset="mc_rtt", architectures=("FF -> exp",), trials=BUDGET, epochs=EPOCHS, pruner="none")
    return create_or_open(locations, "study", request)


@pytest.fixture
def go_on(study: OpenStudy, monkeypatch: pytest.MonkeyPatch) -> threading.Event:  # noqa: ARG001 - its epochs are slow
    """An event for which trainings wait after two epochs, so that they do not finish before a command was sent."""
    return hold_epochs(monkeypatch, 2)


@pytest.fixture
def workers(study: OpenStudy, go_on: threading.Event) -> Iterator[list[threading.Thread]]:
    """Two workers that are training."""
    stop = Stop()
    threads = [
        threading.Thread(target=lambda: work(open_named_study(study.locations, study.name), stop, 1)) for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    wait_until(lambda: sum(len(trial.intermediate_values) > 1 for trial in study.study.trials) == 2)
    yield threads
    stop.set()
    go_on.set()
    for thread in threads:
        thread.join()


def _running(study: OpenStudy) -> list[FrozenTrial]:
    return study.study.get_trials(states=(TrialState.RUNNING,))


def _handed_back(study: OpenStudy) -> bool:
    return all(trial.user_attrs[OWNER_KEY] is None for trial in _running(study))


def _assert_whole(study: OpenStudy) -> None:
    trials = study.study.trials
    assert [trial.state for trial in trials] == [TrialState.COMPLETE] * BUDGET
    for trial in trials:
        assert trial.last_step is not None
        assert study.spec.plan.is_over(trial.last_step, trial.user_attrs["best_epoch"])
        assert sorted(trial.intermediate_values) == list(range(1, trial.last_step + 1))


def test_paused_workers_release_trials_and_wait(
    study: OpenStudy, workers: list[threading.Thread], go_on: threading.Event, tmp_path: Path
) -> None:
    paused = call("pause", "study", cwd=tmp_path)
    go_on.set()
    assert "2 trials are running" in paused.out
    wait_until(lambda: _handed_back(study))
    assert {study.checkpoints.running(trial.number).exists() for trial in _running(study)} == {True}
    before = [trial.intermediate_values for trial in _running(study)]
    time.sleep(0.5)
    assert all(thread.is_alive() for thread in workers)
    assert [trial.intermediate_values for trial in _running(study)] == before, "no worker trains while paused"
    assert "asked to pause" in call("status", "study", cwd=tmp_path).out
    assert call("resume", "study", "--workers", "0", cwd=tmp_path).code == 0
    for thread in workers:
        thread.join(60)
    _assert_whole(study)


def test_stopped_study_has_no_workers_until_resumed(
    study: OpenStudy, workers: list[threading.Thread], go_on: threading.Event, recordings: Path, tmp_path: Path
) -> None:
    assert call("stop", "study", cwd=tmp_path).code == 0
    go_on.set()
    for thread in workers:
        thread.join(60)
        assert not thread.is_alive()
    assert len(_running(study)) == 2
    assert _handed_back(study)

    places = ("--data", recordings, "--artifacts", tmp_path / "artifacts")
    late = call("worker", "study", *places, cwd=tmp_path)
    assert late.code == 0, "a cluster that starts it again does no harm"
    assert len(_running(study)) == 2
    launched = call("launch", "study", *places, cwd=tmp_path)
    assert launched.code == 1
    assert "the study 'study' was stopped: continue with `nlb-search resume study`" in launched.err
    assert call("status", "study", "--json", cwd=tmp_path).json["order"] == "stop"

    assert call("resume", "study", "--workers", "0", cwd=tmp_path).code == 0
    work(open_named_study(study.locations, study.name), Stop())
    _assert_whole(study)


def test_stop_with_finish_starts_no_new_trials(
    study: OpenStudy, workers: list[threading.Thread], go_on: threading.Event, tmp_path: Path
) -> None:
    assert call("stop", "study", "--finish", cwd=tmp_path).code == 0
    go_on.set()
    for thread in workers:
        thread.join(60)
    states = [trial.state for trial in study.study.trials]
    assert states == [TrialState.COMPLETE] * 2, "the third was never begun"


def test_command_reaches_worker_waiting_for_another(study: OpenStudy) -> None:
    for _ in range(BUDGET):
        assert study.claims(DatabaseRetry(Stop())).next() is not None
    waiting = threading.Thread(target=lambda: work(open_named_study(study.locations, study.name), Stop(), 1))
    waiting.start()
    send_command(study.study, StudyCommand.STOP)
    waiting.join(60)
    assert not waiting.is_alive()
