"""A budget of hours is that of the study: all workers count towards it, and it survives restarts."""

import time
from pathlib import Path

import pytest
from optuna.trial import TrialState

import nlb_search.storage.claims.time_used
from nlb_search.search.creation.study_creation import StudyRequest, create_or_open
from nlb_search.search.study.open_study import Locations, OpenStudy
from nlb_search.search.study.status import study_status
from nlb_search.search.workers.shutdown import Stop
from nlb_search.search.workers.worker import work
from nlb_search.storage.claims.owner import OWNER_KEY
from nlb_search.storage.claims.time_used import SECONDS_KEY, hours_used
from nlb_search.storage.database.urls import parse_url
from tests.helpers.processes.command import call
from tests.helpers.processes.slow_epochs import slow_down_epochs
from tests.helpers.specifications import written

HOUR = 3600
SECONDS = 0.1
EPOCHS = 20


@pytest.fixture(autouse=True)
def _slow_epochs(monkeypatch: pytest.MonkeyPatch) -> None:
    """The time of each epoch counts, and no trial finishes within the budget of hours, also on a fast machine."""
    slow_down_epochs(monkeypatch, 0.03)
    monkeypatch.setattr(nlb_search.storage.claims.time_used, "POLL_SECONDS", 0.0)


@pytest.fixture
def study(recordings: Path, tmp_path: Path) -> OpenStudy:
    """A study of two trials whose budget of hours ends within the first ones."""
    locations = Locations(parse_url(f"sqlite:///{tmp_path}/nlb-search.db"), tmp_path / "artifacts", recordings)
    request = StudyRequest(
        dataset="mc_rtt",
        architectures=("GRU(1) -> FF -> exp",),
        trials=2,
        budget_hours=SECONDS / HOUR,
        epochs=EPOCHS,
        space=written("hidden = 6\ninput_size = 'DT'\nbidirectional = false\nnum_layers = 1\nlr = 0.0005"),
        pruner="none",
    )
    return create_or_open(locations, "study", request)


def _call(study: OpenStudy, command: str, *options: str) -> str:
    folder = study.locations.artifacts
    done = call(command, "study", *options, "--artifacts", folder, cwd=folder.parent)
    assert done.code == 0, done.err
    return " ".join(done.out.split())


def test_search_ends_with_the_hours_and_continues_with_more(study: OpenStudy) -> None:
    began = time.monotonic()
    work(study, Stop(), side_by_side=2)
    elapsed = time.monotonic() - began
    cut = study.study.get_trials()
    assert [trial.state for trial in cut] == [TrialState.RUNNING] * 2
    assert [trial.user_attrs[OWNER_KEY] for trial in cut] == [None] * 2, "they are released"
    assert SECONDS <= hours_used(study.study) * HOUR <= elapsed, "trials side by side share the time"
    assert study_status(study).is_finished
    shown = _call(study, "status")
    assert f"of {SECONDS / HOUR:g} used: the search ends" in shown
    assert "including the 2 that are not finished" in shown

    work(study, Stop())  # another worker starts nothing
    assert [trial.last_step for trial in study.study.get_trials()] == [trial.last_step for trial in cut]

    _call(study, "resume", "--budget-hours", "1", "--workers", "0")
    work(study, Stop())
    trials = study.study.get_trials()
    assert [trial.state for trial in trials] == [TrialState.COMPLETE] * 2, "the released trials were continued"
    for trial, before in zip(trials, cut, strict=True):
        assert trial.user_attrs[SECONDS_KEY] > before.user_attrs[SECONDS_KEY]


def test_smaller_budget_than_the_hours_used_is_rejected(study: OpenStudy) -> None:
    work(study, Stop())
    rejected = call(
        "resume", "study", "--budget-hours", "0.00001", "--workers", "0", cwd=study.locations.artifacts.parent
    )
    assert rejected.code == 1
    assert "--budget-hours 1e-05 is not more than the 0.00 hours that the study 'study' has used" in rejected.err


def test_launch_raises_the_budget_and_never_lowers_it(study: OpenStudy) -> None:
    _call(study, "launch", "--budget-hours", "2", "--workers", "0")
    assert study.budget_hours == 2
    _call(study, "launch", "--budget-hours", str(SECONDS / HOUR), "--workers", "0")  # that of its creation
    assert study.budget_hours == 2
    rejected = call("launch", "study", "--budget-hours", "1", "--workers", "0", cwd=study.locations.artifacts.parent)
    assert rejected.code == 1
    assert "has a budget of 2 hours, but --budget-hours is 1" in rejected.err
