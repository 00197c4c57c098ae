"""Trials side by side in one worker end as they would one after the other."""

import multiprocessing
import os
import signal
from pathlib import Path
from typing import Any

import pytest
from optuna.trial import FrozenTrial, TrialState
from torch import Tensor

from nlb_search.models.training.stacked_trainings import StackedTrainings
from nlb_search.search.creation.study_creation import StudyRequest, create_or_open
from nlb_search.search.errors import SearchError
from nlb_search.search.study.open_study import Locations, OpenStudy, open_named_study
from nlb_search.search.workers.shutdown import Stop
from nlb_search.search.workers.worker import work
from nlb_search.storage.claims.claim import FAILURE_KEY, Claim
from nlb_search.storage.claims.lost_workers import MAX_LOST_WORKERS
from nlb_search.storage.claims.owner import OWNER_KEY
from nlb_search.storage.database.urls import parse_url
from tests.helpers.specifications import written

BUDGET, EPOCHS = 5, 4
SPACE = written("input_size = 'DT'\nbidirectional = true\nnum_layers = 1\nhidden = { low = 4, high = 16 }")
"""Trials of one kind, which a worker can train side by side."""


class Studies:
    """Creates studies that differ only in name, with the same randomly sampled trials."""

    def __init__(self, recordings: Path, folder: Path) -> None:
        self._recordings, self._folder = recordings, folder

    def made(self, name: str) -> OpenStudy:
        locations = Locations(parse_url(f"sqlite:///{self._folder}/{name}.db"), self._folder / name, self._recordings)
        request = StudyRequest(
            dataset="mc_rtt",
            architectures=("GRU(1) -> FF -> exp",),
            trials=BUDGET,
            epochs=EPOCHS,
            space=SPACE,
            sampler="random",
            pruner="none",
        )
        return create_or_open(locations, name, request)


@pytest.fixture(scope="module")
def studies(recordings: Path, tmp_path_factory: pytest.TempPathFactory) -> Studies:
    return Studies(recordings, tmp_path_factory.mktemp("crews"))


@pytest.fixture(scope="module")
def one_by_one(studies: Studies) -> list[FrozenTrial]:
    """The trials of a study whose worker ran them one after the other."""
    study = studies.made("one-by-one")
    work(study, Stop(), side_by_side=1)
    return study.study.get_trials()


def _assert_same(trial: FrozenTrial, other: FrozenTrial) -> None:
    assert trial.params == other.params
    assert trial.state == other.state == TrialState.COMPLETE
    assert trial.value == pytest.approx(other.value, abs=1e-4)
    assert trial.intermediate_values == pytest.approx(other.intermediate_values, abs=1e-4)
    assert trial.user_attrs["vel_r2"] == pytest.approx(other.user_attrs["vel_r2"], abs=1e-3)
    assert trial.user_attrs["best_epoch"] == other.user_attrs["best_epoch"]


def _files(study: OpenStudy) -> set[str]:
    return {path.name for path in study.checkpoints.folder.iterdir() if path.is_file()}


def test_side_by_side_study_has_same_trials_and_exact_budget(
    studies: Studies, one_by_one: list[FrozenTrial], monkeypatch: pytest.MonkeyPatch
) -> None:
    study, together = studies.made("together"), []
    real = StackedTrainings.train_epoch

    def counting(stacked: StackedTrainings, *rest: Any) -> Tensor | None:
        together.append(len(stacked.trainings))
        return real(stacked, *rest)

    monkeypatch.setattr(StackedTrainings, "train_epoch", counting)
    work(study, Stop(), side_by_side=3)
    assert together == [3] * EPOCHS + [2] * EPOCHS, "and no epoch was trained by one alone"
    trials = study.study.get_trials()
    assert len(trials) == BUDGET
    for trial, other in zip(trials, one_by_one, strict=True):
        _assert_same(trial, other)
    assert _files(study) == {f"trial-{number:05d}-best.safetensors" for number in range(BUDGET)}


def _break(monkeypatch: pytest.MonkeyPatch, seeds: set[int]) -> None:
    """Make the trainings with these seeds fail, and every step that they share with others."""
    real = StackedTrainings.train_epoch

    def breaking(stacked: StackedTrainings, *rest: Any) -> Tensor | None:
        if any(training.seed in seeds and training.epoch == 2 for training in stacked.trainings):
            raise MemoryError("no room for all of them")
        return real(stacked, *rest)

    monkeypatch.setattr(StackedTrainings, "train_epoch", breaking)


def test_failing_trial_does_not_affect_others(
    studies: Studies, one_by_one: list[FrozenTrial], monkeypatch: pytest.MonkeyPatch
) -> None:
    study = studies.made("one-fails")
    _break(monkeypatch, {study.spec.trial_seed(1)})
    work(study, Stop(), side_by_side=3)
    trials = study.study.get_trials()
    failed = trials.pop(1)
    assert failed.state == TrialState.FAIL
    assert failed.user_attrs[FAILURE_KEY] == "MemoryError: no room for all of them"
    assert len(trials) == BUDGET, "its place in the budget was given to another"
    assert trials[-1].state == TrialState.COMPLETE
    for trial in trials[:-1]:
        _assert_same(trial, one_by_one[trial.number])
    assert _files(study) == {f"trial-{trial.number:05d}-best.safetensors" for trial in trials}


def test_ten_consecutive_failures_stop_the_worker_side_by_side(
    studies: Studies, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = studies.made("all-fail")
    _break(monkeypatch, {study.spec.trial_seed(number) for number in range(20)})
    with pytest.raises(SearchError, match="10 trials in a row failed, the last with: MemoryError: no room"):
        work(study, Stop(), side_by_side=3)
    states = [trial.state for trial in study.study.get_trials()]
    # The tenth failure stops the worker after all trials of its batch have been recorded.
    assert 10 <= states.count(TrialState.FAIL) <= 12
    assert set(states) <= {TrialState.FAIL, TrialState.RUNNING}


def test_stopped_worker_releases_all_trials(
    studies: Studies,
    one_by_one: list[FrozenTrial],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    study, stop = studies.made("stopped"), Stop()
    report = Claim.report

    def stop_in_epoch_2(claim: Claim, value: float, epoch: int) -> bool:
        if epoch == 2:
            stop.set()
        return report(claim, value, epoch)

    with monkeypatch.context() as stopping:
        stopping.setattr(Claim, "report", stop_in_epoch_2)
        work(study, stop, side_by_side=3)
    cut = study.study.get_trials()
    assert [trial.state for trial in cut] == [TrialState.RUNNING] * 3
    assert [trial.user_attrs[OWNER_KEY] for trial in cut] == [None] * 3
    assert all(trial.last_step in (2, 3) for trial in cut)
    assert _files(study) == {f"trial-{number:05d}-running.safetensors" for number in range(3)}

    with caplog.at_level("INFO"):
        work(study, Stop(), side_by_side=3)
    for trial in cut:
        assert f"trial {trial.number} resumes from epoch {trial.last_step}" in caplog.messages
    trials = study.study.get_trials()
    assert len(trials) == BUDGET
    for trial, other in zip(trials, one_by_one, strict=True):
        _assert_same(trial, other)
    assert _files(study) == {f"trial-{number:05d}-best.safetensors" for number in range(BUDGET)}


def test_lost_trial_leaves_the_batch(
    studies: Studies, one_by_one: list[FrozenTrial], monkeypatch: pytest.MonkeyPatch
) -> None:
    study, stop = studies.made("taken"), Stop()
    report = Claim.report

    def taken_in_epoch_2(claim: Claim, value: float, epoch: int) -> bool:
        if claim.number == 1 and epoch == 2:
            study.study.tell(1, state=TrialState.FAIL)
        return report(claim, value, epoch)

    monkeypatch.setattr(Claim, "report", taken_in_epoch_2)
    work(study, stop, side_by_side=3)
    trials = study.study.get_trials()
    assert trials[1].state == TrialState.FAIL
    assert FAILURE_KEY not in trials[1].user_attrs
    for number in (0, 2, 3, 4):
        _assert_same(trials[number], one_by_one[number])
    assert sum(trial.state == TrialState.COMPLETE for trial in trials) == BUDGET


def test_trial_that_kills_its_worker_is_identified(
    studies: Studies, one_by_one: list[FrozenTrial], monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "killer"
    study = studies.made(name)
    guilty, real = study.spec.trial_seed(1), StackedTrainings.train_epoch

    def killing(stacked: StackedTrainings, *rest: Any) -> Tensor | None:
        if any(training.seed == guilty and training.epoch == 2 for training in stacked.trainings):
            os.kill(os.getpid(), signal.SIGKILL)
        return real(stacked, *rest)

    def worker() -> None:
        work(open_named_study(study.locations, name), Stop(), side_by_side=3)

    monkeypatch.setattr(StackedTrainings, "train_epoch", killing)
    codes = []
    while 0 not in codes:
        process = multiprocessing.get_context("fork").Process(target=worker)
        process.start()
        process.join(60)
        codes.append(process.exitcode)
    assert codes == [-signal.SIGKILL] * (MAX_LOST_WORKERS + 1) + [0]
    trials = study.study.get_trials()
    failed = trials.pop(1)
    assert failed.state == TrialState.FAIL
    assert "4 workers in a row died while running it, after step 2" in failed.user_attrs[FAILURE_KEY]
    assert len(trials) == BUDGET
    for trial in trials[:-1]:
        _assert_same(trial, one_by_one[trial.number])
