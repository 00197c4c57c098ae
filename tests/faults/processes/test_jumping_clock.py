"""The system clock jumps by an hour while workers run."""

import itertools
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from benchmarks.service.fault_checks import LOG, FinishedTrials, violations
from nlb_search.search.study.open_study import OpenStudy
from nlb_search.storage.atomic_files import atomic_file

LIBRARY = next(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"), None)
JUMPS_S = (3600, -3600, 0)

WORKER = """
import select, time
time.sleep = lambda seconds: select.select([], [], [], seconds)
from nlb_search.search.cli.app import main
main()
"""
"""A worker that sleeps with ``select``: ``time.sleep`` fails under libfaketime if the monotonic clock is real."""


@pytest.mark.skipif(LIBRARY is None, reason="libfaketime is not installed (Debian's package faketime)")
def test_system_clock_jumps_do_not_affect_workers(
    begun: Callable[..., OpenStudy], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study, finished_trials, began, jumps = begun(trials=60), FinishedTrials(), datetime.now(), tmp_path / "jumps"

    def jump_to(offset_s: int) -> None:
        with atomic_file(jumps) as part:
            part.write_text(f"{offset_s:+d}")

    def start() -> subprocess.Popen[bytes]:
        locations = study.locations
        command = [
            sys.executable,
            "-c",
            WORKER,
            "worker",
            "study",
            "--data",
            locations.data,
            "--artifacts",
            locations.artifacts,
        ]
        with (tmp_path / "log").open("a") as log:
            return subprocess.Popen(command, cwd=tmp_path, stdout=log, stderr=log)

    monkeypatch.setenv("NLB_SEARCH_STORAGE", study.locations.url.with_password)
    jump_to(0)
    workers = [start()]
    with monkeypatch.context() as jumping:
        jumping.setenv("LD_PRELOAD", str(LIBRARY))
        jumping.setenv("FAKETIME_TIMESTAMP_FILE", str(jumps))
        jumping.setenv("FAKETIME_NO_CACHE", "1")
        jumping.setenv("DONT_FAKE_MONOTONIC", "1")
        workers.append(start())
    until = time.monotonic() + 120
    try:
        for offset_s in itertools.cycle(JUMPS_S):
            if all(worker.poll() is not None for worker in workers) or time.monotonic() > until:
                break
            finished_trials.update(study.study)
            jump_to(offset_s)
            time.sleep(0.1)
    finally:
        for worker in workers:
            worker.kill()
    log = (tmp_path / "log").read_text()
    assert [worker.wait() for worker in workers] == [0, 0], log
    begins = [trial.datetime_start - began for trial in study.study.trials if trial.datetime_start]
    assert max(begins) > timedelta(minutes=50), "the clock did jump"
    assert min(begins) < timedelta(minutes=-50)
    assert violations(study, tmp_path, finished_trials, LOG | {"jumps"}) == {}
    assert "lost its worker" not in log, "a worker that lives keeps its trials"
