"""The disk of the checkpoints is full while they are written."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from optuna.trial import TrialState

from benchmarks.aftermath import Witness, broken_promises
from search.opening import OpenStudy
from search.stopping import Stop
from search.worker import work

WORKER = """
import search.trial
from search.cli import main
search.trial.CHECKPOINT_SECONDS = 0
main()
"""
"""A worker that writes a checkpoint at every evaluation."""


def test_a_full_disk_ends_the_worker_and_loses_nothing(
    disk: Path, begun: Callable[..., OpenStudy], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = begun(trials=3)
    filler = disk / "study" / "filler"
    with pytest.raises(OSError, match="No space left"):
        filler.write_bytes(bytes(2**20))
    monkeypatch.setenv("NLB_SEARCH_STORAGE", study.place.url.with_password)
    arguments = ["worker", "study", "--data", str(study.place.data), "--artifacts", str(disk)]
    ended = subprocess.run([sys.executable, "-c", WORKER, *arguments], capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    words = ended.stderr.splitlines()
    assert "trial 0 goes on without a checkpoint" in words[0]
    assert words[-1].startswith("nlb-search: cannot write the checkpoint")
    assert "No space left on device" in words[-1]
    assert [trial.state for trial in study.study.get_trials()] == [TrialState.RUNNING]
    assert list(filler.parent.iterdir()) == [filler], "nothing is left of what did not fit"

    filler.unlink()
    work(study, Stop())
    assert broken_promises(study, tmp_path, Witness()) == {}
