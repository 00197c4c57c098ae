"""``benchmarks/gpu.py`` runs to its end without a GPU, so that no time on a GPU is lost to a mistake."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks import gpu
from benchmarks.gpu import PARTS

ROOT = Path(__file__).parents[2]

EVERY_PART = """
import sys
from dataclasses import replace
from pathlib import Path
from benchmarks.gpu import PARTS, SIZES, read_findings, run_all, run_part, write_report

out = Path(sys.argv[1])
SIZES["toy"] = replace(SIZES["toy"], search_trials=1, kill_trials=2)
code = run_all(8, "toy", out, ["device"])
for name in PARTS:
    run_part(name, PARTS[name].seconds, "toy", out)
write_report(out, read_findings(out / "findings.jsonl"), [])
sys.exit(code)
"""
"""One part in a separate process, then all of them in one process, as each start imports torch."""


@pytest.fixture(autouse=True)
def _without_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")


def _main(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    """Run the command in this process, and its parts in separate processes; returns the exit code."""
    monkeypatch.setattr(sys, "argv", ["gpu.py", *arguments])
    with pytest.raises(SystemExit) as ended:
        gpu.main()
    return int(ended.value.code or 0)


def _report(out: Path) -> dict[str, Any]:
    report: dict[str, Any] = json.loads((out / "report.json").read_text())
    return report


def test_every_part_runs_to_its_end_and_reports_what_needs_a_gpu(tmp_path: Path) -> None:
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    environment = os.environ | {"PYTHONPATH": path}
    command = [sys.executable, "-P", "-c", EVERY_PART, str(tmp_path / "report")]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=500)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    findings = _report(tmp_path / "report")["findings"]
    assert {finding["part"] for finding in findings} == set(PARTS)
    text = (tmp_path / "report" / "report.md").read_text()
    assert all(part.title in text for part in PARTS.values())
    killed = next(finding["values"] for finding in findings if finding["title"].endswith("killed"))
    assert killed["SIGKILL"] > 0
    assert killed["finished"] == killed["budget"]


def test_a_part_that_fails_does_not_affect_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bench").write_text("a file at the path of the recording's folder")
    monkeypatch.chdir(tmp_path)
    options = ("--size", "toy", "--out", "report", "--minutes", "0.7")
    assert _main(monkeypatch, *options, "--only", "device", "recording", "kills") == 1
    report = _report(tmp_path / "report")
    assert [finding["part"] for finding in report["findings"]].count("device") > 2
    device, recording, kills = (outcome["why"] for outcome in report["outcomes"])
    assert device == ""
    assert "Traceback" in recording
    assert kills.startswith("not run")
    assert "Traceback" in (tmp_path / "report" / "report.md").read_text()


def test_all_parts_are_run_by_default_and_none_without_the_time_it_needs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _main(monkeypatch, "--minutes", "0.02", "--out", str(tmp_path)) == 1
    assert "not run: 1 s were left" in capsys.readouterr().out
    outcomes = _report(tmp_path)["outcomes"]
    assert [outcome["part"] for outcome in outcomes] == list(PARTS)
    assert all(re.match(r"not run: \d s were left, \d+ s are needed$", outcome["why"]) for outcome in outcomes)
