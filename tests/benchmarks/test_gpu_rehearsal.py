"""``benchmarks/gpu.py`` runs to its end without a GPU, so that no time on a GPU is lost to a mistake."""

import json
import re
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks import gpu
from benchmarks.gpu import PARTS, run_part, write_report
from benchmarks.gpu_parts import searches
from benchmarks.gpu_parts.findings import read_findings
from benchmarks.shared import synthetic_searches


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


def test_every_part_runs_to_its_end_and_reports_what_needs_a_gpu(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All parts in this process: each start of a process would import torch again."""
    monkeypatch.setattr(synthetic_searches, "FOLDER", tmp_path)
    monkeypatch.setattr(searches, "POLL_SECONDS", 0.1)  # the toy trials are short: a worker is killed while it has one
    out = tmp_path / "report"
    for name, part in PARTS.items():
        run_part(name, part.seconds, "toy", out)
    write_report(out, read_findings(out / "findings.jsonl"), [])
    findings = _report(out)["findings"]
    assert {finding["part"] for finding in findings} == set(PARTS)
    text = (out / "report.md").read_text()
    assert all(part.title in text for part in PARTS.values())
    killed = next(finding["values"] for finding in findings if finding["title"].endswith("killed"))
    assert killed["SIGKILL"] > 0
    assert killed["finished"] == killed["budget"]


def test_a_part_that_fails_does_not_affect_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bench").write_text("a file at the path of the recording's folder")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(PARTS, "kills", replace(PARTS["kills"], min_seconds=1e6))
    options = ("--size", "toy", "--out", "report", "--minutes", "10")
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
