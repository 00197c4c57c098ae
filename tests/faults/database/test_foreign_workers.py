"""Workers with another version of Optuna or another recording are rejected and change nothing."""

from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.service.fault_checks import FinishedTrials, violations
from nlb_search.search.study.open_study import OpenStudy
from nlb_search.search.workers.shutdown import Stop
from nlb_search.search.workers.worker import work
from tests.helpers.processes.command import call
from tests.helpers.recordings.foreign_nwb import write_recording


@pytest.fixture
def half_done(begun: Callable[..., OpenStudy]) -> OpenStudy:
    """A study of four trials, two of which are finished."""
    study = begun()

    class EndsEarly(Stop):
        def check_launcher(self) -> None:
            if len(study.study.get_trials(deepcopy=False)) > 2:
                self.set()

    work(study, EndsEarly())
    return study


@pytest.fixture
def joins(half_done: OpenStudy, tmp_path: Path) -> Callable[..., str]:
    """Starts a worker that must be rejected; returns its error message."""

    def joins(data: Path = half_done.locations.data) -> str:
        before = half_done.study.get_trials()
        locations = half_done.locations
        where = ("--storage", locations.url.with_password, "--artifacts", locations.artifacts, "--data", data)
        outcome = call("worker", "study", *where, cwd=tmp_path)
        assert outcome.code == 1
        assert half_done.study.get_trials() == before
        return outcome.err

    return joins


def test_worker_with_other_version_of_optuna_is_rejected(
    half_done: OpenStudy, joins: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    finished_trials = FinishedTrials()
    finished_trials.update(half_done.study)
    installed = tmp_path / "site" / "optuna-0.0.1.dist-info"
    installed.mkdir(parents=True)
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: optuna\nVersion: 0.0.1\n")
    with monkeypatch.context() as environment:
        environment.syspath_prepend(str(installed.parent))
        said = joins()
    made_with = half_done.spec.versions["optuna"]
    assert f"the study was created with optuna {made_with}, but 0.0.1 is installed: install {made_with}" in said
    work(half_done, Stop())
    assert violations(half_done, tmp_path, finished_trials, frozenset({"site"})) == {}


def test_worker_with_other_recording_is_rejected(
    half_done: OpenStudy, joins: Callable[..., str], tmp_path: Path
) -> None:
    finished_trials = FinishedTrials()
    finished_trials.update(half_done.study)
    write_recording(tmp_path / "other" / "mc_rtt", "mc_rtt", trials=16, neurons=5, seed=1)
    assert f"was created from mc_rtt with content hash {half_done.spec.content_hash[:12]}" in joins(tmp_path / "other")
    work(half_done, Stop())
    assert violations(half_done, tmp_path, finished_trials, frozenset({"other"})) == {}
