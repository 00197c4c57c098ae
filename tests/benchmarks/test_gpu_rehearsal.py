"""The command that measures a GPU runs to its end without one, so that no time on a card is lost to a mistake."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.gpu import PARTS

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "gpu.py"


def measure(cwd: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(SCRIPT), "--size", "toy", "--out", str(cwd / "report"), *options]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=500)


def test_every_part_runs_to_its_end_and_says_what_needs_a_gpu(tmp_path: Path) -> None:
    done = measure(tmp_path, "--minutes", "8")
    assert done.returncode == 0, done.stdout[-3000:]
    report = json.loads((tmp_path / "report" / "report.json").read_text())
    assert [outcome["part"] for outcome in report["outcomes"]] == list(PARTS)
    assert {finding["part"] for finding in report["findings"]} == set(PARTS)
    text = (tmp_path / "report" / "report.md").read_text()
    assert "Tests that need a GPU" in text
    killed = next(finding["values"] for finding in report["findings"] if finding["title"].endswith("killed"))
    assert killed["SIGKILL"] > 0
    assert killed["finished"] == killed["budget"]


def test_a_part_that_fails_or_has_no_time_costs_itself_alone_and_says_why(tmp_path: Path) -> None:
    (tmp_path / "bench").write_text("a file where the recording's folder should be")
    done = measure(tmp_path, "--minutes", "0.7", "--only", "device", "recording", "kills")
    assert done.returncode == 1
    report = json.loads((tmp_path / "report" / "report.json").read_text())
    assert [finding["part"] for finding in report["findings"]].count("device") > 2
    device, recording, kills = (outcome["why"] for outcome in report["outcomes"])
    assert device == ""
    assert "Traceback" in recording
    assert kills.startswith("not run")
    assert "Traceback" in (tmp_path / "report" / "report.md").read_text()


@pytest.mark.parametrize("minutes", ["0.02"])
def test_a_part_is_ended_when_its_time_is_over(minutes: str, tmp_path: Path) -> None:
    done = measure(tmp_path, "--minutes", minutes, "--only", "device")
    assert done.returncode == 1
    assert "not run: 1 s were left" in done.stdout
