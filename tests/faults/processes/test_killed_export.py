"""An export is killed while it trains networks again, and run again."""

import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.service.fault_checks import processes_in
from nlb_search.search.study.open_study import OpenStudy
from nlb_search.search.workers.shutdown import Stop
from nlb_search.search.workers.worker import work
from tests.helpers.processes.command import call, start

SEEDS = 8


def test_an_export_that_was_killed_continues_and_gives_the_same_file(
    begun: Callable[..., OpenStudy], tmp_path: Path
) -> None:
    study = begun(trials=1, epochs=40)
    work(study, Stop())
    where = ("--storage", study.locations.url.with_password, "--artifacts", study.locations.artifacts)
    export = ("export-best", "study", "--phase", "test", "--seeds", SEEDS, *where, "--data", study.locations.data)
    killed = start(*export, "--workers", "2", "--out", "killed.h5", cwd=tmp_path)

    def networks() -> dict[Path, int]:
        return {path: path.stat().st_mtime_ns for path in study.checkpoints.folder.glob("*-refit-*[0-9].safetensors")}

    until = time.monotonic() + 120
    while not networks():
        assert time.monotonic() < until, (tmp_path / "log").read_text()
        time.sleep(0.01)
    killed.kill()
    assert killed.wait() == -9
    while processes_in(tmp_path):  # its two processes exit by themselves
        assert time.monotonic() < until
        time.sleep(0.05)
    before = networks()
    assert 0 < len(before) < SEEDS
    assert not (tmp_path / "killed.h5").exists()
    continued = call(*export, "--workers", "1", "--out", "killed.h5", cwd=tmp_path)
    assert continued.code == 0, continued.err
    after = networks()
    assert len(after) == SEEDS
    assert before.items() <= after.items()
    for path in after:
        path.unlink()
    undisturbed = call(*export, "--workers", "1", "--out", "undisturbed.h5", cwd=tmp_path)
    assert undisturbed.code == 0, undisturbed.err
    assert (tmp_path / "killed.h5").read_bytes() == (tmp_path / "undisturbed.h5").read_bytes()
