"""The budget of a study can be changed while it runs and after it is finished."""

import threading
import time
from pathlib import Path

import pytest

from nlb_search.search.study.open_study import Locations, open_named_study
from nlb_search.search.workers.shutdown import Stop
from nlb_search.search.workers.worker import work
from nlb_search.storage.database.urls import parse_url
from tests.helpers.processes.command import Outcome, call, search
from tests.helpers.processes.slow_epochs import hold_epochs

OPTIONS = ("--dataset", "mc_rtt", "--arch", "FF -> exp", "--epochs", "2", "--pruner", "none")


@pytest.fixture
def finished(recordings: Path, tmp_path: Path) -> Path:
    """The folder of a finished study of two trials."""
    search("study", *OPTIONS, "--trials", "2", data=recordings, cwd=tmp_path)
    return tmp_path


def _budget(folder: Path) -> int:
    return int(call("status", "study", "--json", cwd=folder).json["budget"])


def _finished(folder: Path) -> int:
    states = call("status", "study", "--json", cwd=folder).json["states"]
    return int(states["complete"] + states["pruned"])


def _change(command: str, trials: int, folder: Path) -> Outcome:
    return call(command, "study", "--trials", str(trials), "--workers", "0", cwd=folder)


@pytest.mark.parametrize("command", ["resume", "launch"])
def test_finished_study_continues_with_a_larger_budget(command: str, finished: Path, recordings: Path) -> None:
    assert _change(command, 4, finished).code == 0
    assert call("worker", "study", "--data", recordings, cwd=finished).code == 0
    assert (_finished(finished), _budget(finished)) == (4, 4)
    assert "study: 4 of 4 trials" in call("status", "study", cwd=finished).out
    repeated = call("launch", "study", *OPTIONS, "--trials", "2", "--workers", "0", cwd=finished)
    assert repeated.code == 0, "the command that created it can be repeated"
    assert _budget(finished) == 4


def test_budget_below_what_is_finished_is_rejected(finished: Path) -> None:
    rejected = _change("resume", 1, finished)
    assert rejected.code == 1
    assert "--trials 1 is less than the 2 finished and 0 running trials of the study 'study'" in rejected.err
    assert _budget(finished) == 2


def test_launch_does_not_lower_the_budget_and_resume_does(finished: Path) -> None:
    assert _change("resume", 9, finished).code == 0
    rejected = _change("launch", 5, finished)
    assert rejected.code == 1
    assert "has a budget of 9 trials, more than --trials 5" in rejected.err
    assert _change("resume", 5, finished).code == 0
    assert _budget(finished) == 5


def test_grid_cannot_have_more_trials_than_combinations(recordings: Path, tmp_path: Path) -> None:
    grid = ("--space", "paper", "--sampler", "grid", "--trials", "1", "--workers", "0")
    launched = call("launch", "study", *OPTIONS, *grid, "--data", recordings, cwd=tmp_path)
    assert launched.code == 0, launched.err
    rejected = _change("resume", 10**9, tmp_path)
    assert rejected.code == 2
    assert "is more than the" in rejected.err
    assert _budget(tmp_path) == 1


def test_running_worker_notices_the_larger_budget(
    recordings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on = hold_epochs(monkeypatch, 1)
    options = ("--dataset", "mc_rtt", "--arch", "FF -> exp", "--epochs", "8", "--pruner", "none", "--trials", "1")
    assert call("launch", "study", *options, "--workers", "0", "--data", recordings, cwd=tmp_path).code == 0
    locations = Locations(
        parse_url(f"sqlite:///{tmp_path}/nlb-search.db"), tmp_path / "nlb-search.db.artifacts", recordings
    )
    study = open_named_study(locations, "study")
    worker = threading.Thread(target=lambda: work(open_named_study(locations, "study"), Stop(), 1))
    worker.start()
    until = time.monotonic() + 60
    while not any(trial.intermediate_values for trial in study.study.get_trials(deepcopy=False)):
        assert time.monotonic() < until, "the worker did not start"
        time.sleep(0.05)
    assert _change("resume", 2, tmp_path).code == 0
    go_on.set()
    worker.join(120)
    assert _finished(tmp_path) == 2
