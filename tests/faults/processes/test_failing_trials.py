"""Failed trials are recorded with their reason, and the worker continues or reports why it cannot."""

import threading
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from optuna.trial import TrialState

import nlb_search.search.workers.worker
from nlb_search.models.training.stacked_trainings import StackedTrainings
from nlb_search.search.creation.study_creation import StudyRequest, create_or_open
from nlb_search.search.errors import SearchError
from nlb_search.search.networks.saved_networks import load_networks
from nlb_search.search.study.open_study import Locations, OpenStudy
from nlb_search.search.workers.shutdown import Stop
from nlb_search.storage.claims.claim import FAILURE_KEY
from nlb_search.storage.database.urls import parse_url


@pytest.fixture
def study(recordings: Path, tmp_path: Path) -> OpenStudy:
    locations = Locations(parse_url(f"sqlite:///{tmp_path}/studies.db"), tmp_path / "artifacts", recordings)
    request = StudyRequest(dataset="mc_rtt", architectures=("FF -> exp",), trials=3, epochs=4, pruner="none")
    return create_or_open(locations, "study", request)


def _diverge(monkeypatch: pytest.MonkeyPatch, epochs: int) -> None:
    """Make every training diverge after this number of epochs."""
    real = StackedTrainings.train_epoch

    def diverging(stacked: StackedTrainings, interrupted: Callable[[], bool]) -> torch.Tensor | None:
        if stacked.trainings[0].epoch == epochs:
            stacked.rows.weights_KP.fill_(1e30)
        return real(stacked, interrupted)

    monkeypatch.setattr(StackedTrainings, "train_epoch", diverging)


def test_ten_consecutive_failures_stop_the_worker(study: OpenStudy, monkeypatch: pytest.MonkeyPatch) -> None:
    _diverge(monkeypatch, epochs=0)
    with pytest.raises(SearchError, match="10 trials in a row failed, the last with: DivergedError: the loss became"):
        nlb_search.search.workers.worker.work(study, Stop())
    trials = study.study.get_trials()
    assert [trial.state for trial in trials] == [TrialState.FAIL] * 10
    assert all("the loss became" in trial.user_attrs[FAILURE_KEY] for trial in trials)


def test_diverging_trial_is_pruned_with_last_finite_score(study: OpenStudy, monkeypatch: pytest.MonkeyPatch) -> None:
    _diverge(monkeypatch, epochs=2)
    nlb_search.search.workers.worker.work(study, Stop())
    trials = study.study.get_trials()
    assert [trial.state for trial in trials] == [TrialState.PRUNED] * 3
    for trial in trials:
        assert trial.value == trial.intermediate_values[max(trial.intermediate_values)]
        assert abs(trial.value) < 10
        assert "in epoch" in trial.user_attrs["diverged"]


def test_studies_of_one_name_do_not_share_checkpoints(tiny: Path, tmp_path: Path) -> None:
    """Two studies of one name in two databases, with one checkpoint folder."""

    def begun(database: str, seed: int) -> OpenStudy:
        locations = Locations(parse_url(f"sqlite:///{tmp_path}/{database}.db"), tmp_path / "artifacts", tiny)
        request = StudyRequest(
            dataset="mc_rtt", architectures=("FF -> exp",), trials=1, epochs=20, pruner="none", seed=seed
        )
        return create_or_open(locations, "study", request)

    first = begun("first", seed=0)

    class AfterFiveEpochs(Stop):
        def check_launcher(self) -> None:
            if any(trial.last_step == 5 for trial in first.study.get_trials(deepcopy=False)):
                self.set()

    nlb_search.search.workers.worker.work(first, AfterFiveEpochs())
    assert first.checkpoints.running(0).exists()
    second = begun("second", seed=1)
    nlb_search.search.workers.worker.work(second, Stop())
    assert sorted(second.study.trials[0].intermediate_values) == list(range(1, 21)), "it began at the beginning"
    assert first.checkpoints.running(0).exists()
    nlb_search.search.workers.worker.work(first, Stop())
    for study in first, second:
        load_networks(study, study.study.trials[0])


def test_same_seed_gives_same_trials_and_scores(tiny: Path, tmp_path: Path) -> None:
    def searched(name: str, seed: int) -> list[tuple[dict[str, object], float | None]]:
        locations = Locations(parse_url(f"sqlite:///{tmp_path}/{name}.db"), tmp_path / name, tiny)
        request = StudyRequest(dataset="mc_rtt", architectures=("GRU(1) -> FF -> exp",), trials=4, epochs=3, seed=seed)
        study = create_or_open(locations, "study", request)
        nlb_search.search.workers.worker.work(study, Stop())
        return [(trial.params, trial.value) for trial in study.study.get_trials()]

    assert searched("first", seed=1) == searched("again", seed=1)
    assert searched("first", seed=1) != searched("other", seed=2)
    heartbeats = [thread for thread in threading.enumerate() if thread.name == "heartbeat"]
    assert heartbeats == [], "no heartbeat outlives its trial"
