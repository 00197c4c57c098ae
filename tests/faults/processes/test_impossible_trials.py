"""Trials that run out of memory or diverge."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from optuna.trial import FrozenTrial, TrialState

from benchmarks.service.fault_checks import LOG, FinishedTrials, violations
from nlb_search.search.sampling.spaces.space_file import parse_space
from nlb_search.search.study.open_study import OpenStudy
from nlb_search.search.workers.shutdown import Stop
from nlb_search.search.workers.worker import work
from nlb_search.storage.claims.claim import FAILURE_KEY

SMALL_WORKER = """
import resource
import psutil
import nlb_search.search.workers.worker
from nlb_search.search.cli.app import main
most = psutil.Process().memory_info().vms + 2**30
resource.setrlimit(resource.RLIMIT_AS, (most, most))
main()
"""
"""A worker that may allocate at most one more gigabyte of memory."""


def _split(study: OpenStudy, is_impossible: Callable[[FrozenTrial], bool]) -> tuple[list[str], list[TrialState]]:
    """The failure reasons of the impossible trials, and the states of the others."""
    trials = study.study.get_trials()
    reasons = [str(trial.user_attrs.get(FAILURE_KEY)) for trial in trials if is_impossible(trial)]
    return reasons, [trial.state for trial in trials if not is_impossible(trial)]


def test_diverged_trials_fail_and_are_replaced(begun: Callable[..., OpenStudy], tmp_path: Path) -> None:
    study = begun(space=parse_space("space.toml", "lr = [0.01, 1e30]"), trials=4)
    work(study, Stop())
    failed, others = _split(study, lambda trial: trial.params["lr"] == 1e30)
    assert len(failed) >= 2
    assert all(reason.startswith("DivergedError: the") for reason in failed)
    assert others == [TrialState.COMPLETE] * 4
    assert violations(study, tmp_path, FinishedTrials()) == {}


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux holds a process to an address space")
def test_trials_out_of_memory_fail_and_are_replaced(
    begun: Callable[..., OpenStudy], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    space = parse_space("space.toml", "hidden = [4, 4096]\nnum_layers = 2\nbidirectional = true")
    study = begun(space=space, architectures=("GRU(2) -> FF -> exp",), trials=3)
    monkeypatch.setenv("NLB_SEARCH_STORAGE", study.locations.url.with_password)
    arguments = ["worker", "study", "--data", study.locations.data, "--artifacts", study.locations.artifacts]
    with (tmp_path / "log").open("w") as log:
        command = [sys.executable, "-c", SMALL_WORKER, *arguments]
        assert subprocess.run(command, stdout=log, stderr=log, timeout=120, check=False).returncode == 0
    failed, others = _split(study, lambda trial: trial.params["hidden"] == 4096)
    assert failed
    assert all("memory" in reason for reason in failed), failed
    assert others == [TrialState.COMPLETE] * 3
    assert f"failed: {failed[0]}" in (tmp_path / "log").read_text()
    assert violations(study, tmp_path, FinishedTrials(), LOG) == {}
