"""A search whose processes are killed with real signals loses no finished trial and meets its budget exactly."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import optuna
import psutil
import pytest
from command import call, run, start
from optuna.trial import TrialState

from storage.database import open_database
from storage.urls import parse_url

BUDGET = 6


@pytest.fixture
def search(recordings: Path, tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A search of two workers that has begun to train."""
    launcher = start(
        *("launch", "study", "--dataset", "mc_rtt", "--arch", "rnnf", "--trials", str(BUDGET), "--workers", "2"),
        *("--epochs", "30", "--pruner", "none", "--data", recordings),
        cwd=tmp_path,
    )
    _wait_until(lambda: _scores(tmp_path) >= 1)
    yield launcher
    if launcher.poll() is None:
        launcher.kill()
    launcher.wait()


def _wait_until(happened: Any, timeout: float = 120) -> None:
    until = time.monotonic() + timeout
    while not happened():
        assert time.monotonic() < until, "it did not happen in time"
        time.sleep(0.1)


def _trials(folder: Path) -> list[optuna.trial.FrozenTrial]:
    if not (folder / "nlb-search.db").exists():
        return []
    # By our own way to open it: Optuna's would make the tables at the same moment as the launcher, and both would fail.
    database = open_database(parse_url(f"sqlite:///{folder}/nlb-search.db"))
    if "study" not in optuna.get_all_study_names(database):
        return []
    return optuna.load_study(study_name="study", storage=database).get_trials(deepcopy=False)


def _scores(folder: Path) -> int:
    return sum(len(trial.intermediate_values) for trial in _trials(folder))


def _finished(folder: Path) -> dict[int, Any]:
    done = (TrialState.COMPLETE, TrialState.PRUNED)
    return {trial.number: (trial.value, trial.params) for trial in _trials(folder) if trial.state in done}


def _workers(folder: Path) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter(["cmdline", "cwd"]):
        command = process.info["cmdline"] or []
        if command[-2:] == ["worker", "study"] and process.info["cwd"] == str(folder):
            found.append(process)
    return found


def _check_whole(folder: Path, recordings: Path, finished_before: dict[int, Any]) -> None:
    resumed = run("resume", "study", "--workers", "2", "--data", recordings, cwd=folder)
    assert resumed.code == 0, resumed.err
    trials = _trials(folder)
    finished = _finished(folder)
    assert len(finished) == BUDGET
    assert [trial.number for trial in trials] == list(range(len(trials)))
    assert all(trial.state.is_finished() for trial in trials)
    assert {number: finished[number] for number in finished_before} == finished_before
    for trial in trials:
        assert sorted(trial.intermediate_values) == list(range(1, 31)), "every epoch was reported, once"
    left = {path.name for path in (folder / "nlb-search.db.artifacts" / "study").iterdir()}
    assert left == {f"trial-{number:05d}-best.safetensors" for number in finished}
    assert _workers(folder) == []


def test_workers_killed_again_and_again(search: subprocess.Popen[str], recordings: Path, tmp_path: Path) -> None:
    for _ in range(3):
        _wait_until(lambda: _workers(tmp_path) and _scores(tmp_path))
        os.kill(_workers(tmp_path)[0].pid, signal.SIGKILL)
        time.sleep(3)
    finished = _finished(tmp_path)
    assert search.wait(timeout=180) == 0, "the launcher starts killed workers again and meets the budget itself"
    _check_whole(tmp_path, recordings, finished)


def test_everything_killed_at_once_then_resumed(
    search: subprocess.Popen[str], recordings: Path, tmp_path: Path
) -> None:
    _wait_until(lambda: _finished(tmp_path))
    for process in [psutil.Process(search.pid), *_workers(tmp_path)]:
        process.kill()
    finished = _finished(tmp_path)
    assert len(finished) < BUDGET
    standing = call("status", "study", "--json", cwd=tmp_path).json
    assert standing["states"]["running"] > 0
    _check_whole(tmp_path, recordings, finished)


def test_workers_leave_when_their_launcher_is_killed(search: subprocess.Popen[str], tmp_path: Path) -> None:
    search.kill()
    _wait_until(lambda: not _workers(tmp_path), timeout=30)
    assert all(trial.user_attrs["worker"] is None for trial in _trials(tmp_path) if trial.state == TrialState.RUNNING)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_hands_back_the_running_trials(
    number: int, search: subprocess.Popen[str], recordings: Path, tmp_path: Path
) -> None:
    search.send_signal(number)
    assert search.wait(timeout=40) == 130
    assert _workers(tmp_path) == []
    running = [trial for trial in _trials(tmp_path) if trial.state == TrialState.RUNNING]
    assert running
    artifacts = tmp_path / "nlb-search.db.artifacts" / "study"
    for trial in running:
        assert trial.user_attrs["worker"] is None
        assert (artifacts / f"trial-{trial.number:05d}-running.safetensors").exists()
    assert "`nlb-search resume study` goes on" in (tmp_path / "log").read_text()
    _check_whole(tmp_path, recordings, _finished(tmp_path))
