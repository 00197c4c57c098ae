"""A search releases its trials when it gets a signal, and can be resumed after it was killed."""

import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from optuna.trial import FrozenTrial, TrialState

from benchmarks.service.fault_checks import LOG, processes_in, violations
from benchmarks.service.fault_injection import FaultInjection
from nlb_search.search.sampling.spaces.space_file import parse_space
from nlb_search.search.study.open_study import OpenStudy
from nlb_search.search.workers.shutdown import Stop
from nlb_search.search.workers.worker import work
from tests.helpers.processes.command import call
from tests.helpers.processes.waiting import wait_until

BUDGET, EPOCHS = 3, 30


@pytest.fixture
def study(begun: Callable[..., OpenStudy]) -> OpenStudy:
    """A study whose trials take about a second each."""
    small = parse_space("small.toml", "hidden = 4\nbidirectional = false\ninput_size = 'DT'")
    return begun(architectures=("GRU(1) -> FF -> exp",), space=small, trials=BUDGET, epochs=EPOCHS, sampler="tpe")


@pytest.fixture
def search(
    request: pytest.FixtureRequest, study: OpenStudy, fault_injection: Callable[..., FaultInjection]
) -> FaultInjection:
    """A search of the study by two workers, or as many as the test asks for, at least one of which is training."""
    search = fault_injection(trials=BUDGET, workers=getattr(request, "param", 2))
    search.start("resume", "study")
    wait_until(lambda: any(trial.intermediate_values for trial in study.study.get_trials()))
    return search


def _running(study: OpenStudy) -> list[FrozenTrial]:
    return study.study.get_trials(states=(TrialState.RUNNING,))


def _one_is_complete_and_one_runs(study: OpenStudy) -> bool:
    """Whether a trial is complete and another one will run for a while yet."""
    trials = study.study.get_trials()
    is_complete = any(trial.state == TrialState.COMPLETE for trial in trials)
    return is_complete and any(
        trial.state == TrialState.RUNNING and 0 < len(trial.intermediate_values) < EPOCHS / 2 for trial in trials
    )


def test_search_is_resumed_after_all_processes_are_killed(
    search: FaultInjection, study: OpenStudy, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    wait_until(lambda: _one_is_complete_and_one_runs(study))
    for process in processes_in(tmp_path):
        process.kill()
    wait_until(lambda: search.is_finished)
    search.update_finished_trials(study)
    assert 0 < len(search.finished_trials) < BUDGET
    where = ("--storage", study.locations.url.with_password, "--artifacts", study.locations.artifacts)
    status = call("status", "study", "--json", *where, cwd=tmp_path).json
    assert status["states"]["running"] > 0
    assert status["workers"] == []
    resumed = call("resume", "study", "--workers", "1", *where, "--data", study.locations.data, cwd=tmp_path)
    assert resumed.code == 0, resumed.err
    assert "lost its worker" in caplog.text
    assert violations(study, tmp_path, search.finished_trials, LOG) == {}


def test_workers_exit_when_launcher_is_killed(search: FaultInjection, study: OpenStudy, tmp_path: Path) -> None:
    search.launches[0].kill()
    wait_until(lambda: not processes_in(tmp_path))
    running = _running(study)
    assert running
    assert all(trial.user_attrs["worker"] is None for trial in running)


@pytest.mark.parametrize(("number", "search"), [(signal.SIGINT, 2), (signal.SIGTERM, 1)], indirect=["search"])
def test_signal_releases_running_trials(number: int, search: FaultInjection, study: OpenStudy, tmp_path: Path) -> None:
    [launch] = search.launches
    launch.send_signal(number)
    assert launch.wait(timeout=120) == 130
    assert processes_in(tmp_path) == []
    running = _running(study)
    assert running
    for trial in running:
        assert trial.user_attrs["worker"] is None
        assert study.checkpoints.running(trial.number).exists()
    assert "continue with `nlb-search resume study`" in search.log
    search.update_finished_trials(study)
    work(study, Stop())
    assert violations(study, tmp_path, search.finished_trials, LOG) == {}
