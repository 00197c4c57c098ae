"""A process that exits closes its connections."""

from pathlib import Path

from tests.helpers.processes.command import run


def test_no_log_of_sqlite_is_left_behind(recordings: Path, tmp_path: Path) -> None:
    options = ("--dataset", "mc_rtt", "--arch", "FF -> exp", "--trials", "1", "--epochs", "1")
    launched = run("launch", "study", *options, "--data", recordings, "--workers", "1", "--gpus", "none", cwd=tmp_path)
    assert launched.code == 0, launched.err
    assert run("status", "study", cwd=tmp_path).code == 0
    assert (tmp_path / "nlb-search.db").exists()
    assert not list(tmp_path.glob("*-wal"))
