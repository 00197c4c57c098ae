"""Trials whose worker is interrupted between two steps are neither repeated nor lost."""

from pathlib import Path

import pytest
from optuna.pruners import ThresholdPruner
from optuna.trial import TrialState

import nlb_search.search.workers.trial
import nlb_search.search.workers.trial_results
import nlb_search.search.workers.trials_side_by_side
from nlb_search.search.creation.study_creation import StudyRequest, create_or_open
from nlb_search.search.errors import SearchError
from nlb_search.search.study.open_study import Locations, OpenStudy
from nlb_search.search.workers.shutdown import Stop
from nlb_search.search.workers.worker import work
from nlb_search.storage.claims.claim import Claim
from nlb_search.storage.claims.owner import OWNER_KEY
from nlb_search.storage.database.urls import parse_url


@pytest.fixture
def study(recordings: Path, tmp_path: Path) -> OpenStudy:
    locations = Locations(parse_url(f"sqlite:///{tmp_path}/studies.db"), tmp_path / "artifacts", recordings)
    request = StudyRequest(dataset="mc_rtt", architectures=("FF -> exp",), trials=1, epochs=4, pruner="none")
    return create_or_open(locations, "study", request)


def test_trial_interrupted_between_saving_and_reporting_can_be_pruned_on_resume(
    study: OpenStudy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nlb_search.search.workers.trial, "CHECKPOINT_SECONDS", 0)
    report = Claim.report

    def cut_at_epoch_2(claim: Claim, value: float, epoch: int) -> bool:
        if epoch == 2:
            raise KeyboardInterrupt
        return report(claim, value, epoch)

    with monkeypatch.context() as cutting:
        cutting.setattr(Claim, "report", cut_at_epoch_2)
        with pytest.raises(KeyboardInterrupt):
            work(study, Stop())
    [trial] = study.study.trials
    assert trial.state == TrialState.RUNNING
    assert trial.last_step == 1
    study.study._storage.set_trial_user_attr(trial._trial_id, OWNER_KEY, None)

    study.study.pruner = ThresholdPruner(lower=10.0, n_warmup_steps=2)
    work(study, Stop())
    [trial] = study.study.trials
    assert trial.state == TrialState.PRUNED
    assert trial.last_step == 2, "it was trained no further than where the pruner ends it"
    assert list(study.checkpoints.folder.iterdir()) == [study.checkpoints.best(0)], "its network is kept"


def test_trial_failing_after_saving_leaves_no_checkpoint(study: OpenStudy, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as failing:
        failing.setattr(nlb_search.search.workers.trial_results, "metrics_of", lambda *_: 1 / 0)
        failing.setattr(nlb_search.search.workers.trials_side_by_side, "MAX_FAILURES", 1)
        with pytest.raises(SearchError, match="ZeroDivisionError"):
            work(study, Stop())
    assert [trial.state for trial in study.study.trials] == [TrialState.FAIL]
    assert list(study.checkpoints.folder.iterdir()) == []
