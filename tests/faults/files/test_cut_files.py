"""Truncated files are recreated where possible, and named otherwise."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

import nlb_search.search.workers.trial
from benchmarks.service.fault_checks import FinishedTrials, violations
from nlb_search.data.preparing.cache import cache_folder
from nlb_search.search.ensembles.trial_selection import Selection
from nlb_search.search.errors import SearchError
from nlb_search.search.study.open_study import OpenStudy
from nlb_search.search.submission.export import export_best
from nlb_search.search.workers.shutdown import Stop
from nlb_search.search.workers.worker import work
from nlb_search.storage.claims.claim import Claim
from nlb_search.storage.claims.owner import OWNER_KEY
from nlb_search.storage.errors import StorageError


def _halve(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def test_trial_with_truncated_checkpoint_restarts(
    begun: Callable[..., OpenStudy],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    study = begun(trials=1, epochs=4)
    report = Claim.report

    def cut_at_epoch_3(claim: Claim, value: float, epoch: int) -> bool:
        if epoch == 3:
            raise KeyboardInterrupt
        return report(claim, value, epoch)

    with monkeypatch.context() as cutting:
        cutting.setattr(nlb_search.search.workers.trial, "CHECKPOINT_SECONDS", 0)
        cutting.setattr(Claim, "report", cut_at_epoch_3)
        with pytest.raises(KeyboardInterrupt):
            work(study, Stop())
    _halve(study.checkpoints.running(0))
    [trial] = study.study.trials
    study.study._storage.set_trial_user_attr(trial._trial_id, OWNER_KEY, None)
    work(study, Stop())
    assert "trial 0 starts from scratch: the checkpoint" in caplog.text
    assert "is damaged" in caplog.text
    assert violations(study, tmp_path, FinishedTrials()) == {}


def test_export_with_truncated_checkpoint_is_rejected(begun: Callable[..., OpenStudy], tmp_path: Path) -> None:
    study = begun(trials=1)
    work(study, Stop())
    _halve(study.checkpoints.best(0))
    with pytest.raises((SearchError, StorageError), match=r"trial-00000-best\.safetensors is damaged"):
        export_best([study], tmp_path / "val.h5", "val", Selection())
    assert not (tmp_path / "val.h5").exists()


def test_truncated_cache_entry_is_recreated(
    begun: Callable[..., OpenStudy],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setenv("NLB_SEARCH_CACHE", str(tmp_path / "cache"))
    study = begun(trials=2)
    _halve(next(cache_folder().rglob("train.npy")))
    work(study, Stop())
    assert "is damaged (the size of a file differs from the listed one) and will be made again" in caplog.text
    assert violations(study, tmp_path, FinishedTrials(), frozenset({"cache"})) == {}
