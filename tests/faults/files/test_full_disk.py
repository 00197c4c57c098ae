"""The disk of checkpoints or of a SQLite file is full."""

import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from optuna.trial import TrialState

from benchmarks.service.fault_checks import FinishedTrials, violations
from nlb_search.search.study.open_study import OpenStudy
from nlb_search.search.workers.shutdown import Stop
from nlb_search.search.workers.worker import work
from nlb_search.storage.database.opening import open_database
from nlb_search.storage.database.retrying import DatabaseRetry
from nlb_search.storage.database.urls import parse_url
from nlb_search.storage.studies import make_study, open_study

WORKER = """
import nlb_search.search.workers.trial
from nlb_search.search.cli.app import main
nlb_search.search.workers.trial.CHECKPOINT_SECONDS = 0
main()
"""
"""A worker that writes a checkpoint at every evaluation."""


def test_full_disk_stops_worker_without_data_loss(
    disk: Path, begun: Callable[..., OpenStudy], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = begun(trials=3)
    filler = study.checkpoints.folder / "filler"
    with pytest.raises(OSError, match="No space left"):
        filler.write_bytes(bytes(2**20))
    monkeypatch.setenv("NLB_SEARCH_STORAGE", study.locations.url.with_password)
    arguments = ["worker", "study", "--data", str(study.locations.data), "--artifacts", str(disk)]
    ended = subprocess.run([sys.executable, "-c", WORKER, *arguments], capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    words = ended.stderr.splitlines()
    assert "trial 0 continues without a checkpoint" in words[0]
    assert words[-1].startswith("nlb-search: cannot write the checkpoint")
    assert "No space left on device" in words[-1]
    assert [trial.state for trial in study.study.get_trials()] == [TrialState.RUNNING]
    assert list(filler.parent.iterdir()) == [filler], "nothing is left of what did not fit"

    filler.unlink()
    work(study, Stop())
    assert violations(study, tmp_path, FinishedTrials()) == {}


def test_sqlite_on_full_disk_is_retried(disk: Path, caplog: pytest.LogCaptureFixture) -> None:
    url = parse_url(f"sqlite:///{disk}/studies.db")
    make_study(url, open_database(url), "study", spec={}, starts=[])
    study = open_study(open_database(url), "study").study
    filler = disk / "filler"
    with pytest.raises(OSError, match="No space left"):
        filler.write_bytes(bytes(2**20))
    attempts = 0

    def store() -> None:
        nonlocal attempts
        attempts += 1
        if attempts == 3:
            filler.unlink()
        study.set_user_attr("note", "x" * 100_000)

    DatabaseRetry(threading.Event()).call(store)
    assert caplog.messages == [
        "the database is unreachable (database or disk is full): retrying",
        "the database is reachable again",
    ]
    assert len(study.user_attrs["note"]) == 100_000
