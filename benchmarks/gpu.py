"""``python benchmarks/gpu.py --minutes 8 --out DIR``: tests and measures the GPU with one command.

The parts run one after another, the most important first, each in a separate process. A part that crashes, hangs or
exceeds its time limit does not stop the others, and its results so far are kept. No part takes more than half of the
remaining time. After each part, ``DIR/report.md`` and ``DIR/report.json`` are updated, including the parts that failed
and the reason; ``DIR/log.txt`` contains all output. The exit code is 1 if a part failed.

Without a GPU, the command runs all parts at toy size and reports which measurements were skipped.
"""

import argparse
import contextlib
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import psutil
import torch

from benchmarks.gpu_parts import check, curves, memory, profiles, searches, steps
from benchmarks.gpu_parts.context import SIZES, Context
from benchmarks.gpu_parts.findings import Finding, Record, markdown, read_findings
from nlb_search.search.workers.devices import training_device
from nlb_search.search.workers.memory import keep_freed_memory


@dataclass(frozen=True)
class Part:
    """One part of the report: ``seconds`` is its time limit, ``min_seconds`` the time that must be left to start it."""

    title: str
    run: Callable[[Context], None]
    seconds: float
    min_seconds: float


def synthesize(context: Context) -> None:
    """Generate the recording that the searches and learning curves use, unless it exists."""
    recording = context.size.recording
    began = time.perf_counter()
    n_train, n_val = recording.recording.train.n_trials, recording.recording.val.n_trials
    context.record.sentence(f"{recording}: {n_train} train, {n_val} val trials ({time.perf_counter() - began:.0f} s).")


PARTS = {
    "device": Part("Machine", check.device, 60, 5),
    "recording": Part("Recording", synthesize, 120, 5),
    "tests": Part("Tests that need a GPU", check.tests, 90, 20),
    "curves": Part("GPU and CPU compared", curves.run, 90, 30),
    "search": Part("Search", searches.one_worker, 300, 60),
    "side-by-side": Part("Trials side by side", steps.side_by_side, 75, 20),
    "processes": Part("Processes", steps.processes, 90, 30),
    "profile": Part("Profile of a training step", profiles.run, 60, 20),
    "memory": Part("Memory", memory.run, 60, 20),
    "variants": Part("Graphs, precision, recurrence", steps.variants, 60, 20),
    "kills": Part("Killed workers", searches.kills, 90, 45),
    "search-four": Part("Search with four workers", searches.four_workers, 300, 60),
}
"""The most important parts come first."""


@dataclass(frozen=True)
class Outcome:
    """Result of a part; ``why`` is the reason of a failure, empty on success."""

    part: str
    seconds: float
    why: str


def run_in_subprocess(name: str, seconds: float, size: str, out: Path) -> Outcome:
    """Run a part in a separate process; kill the process and its children after ``seconds``."""
    command = [sys.executable, __file__, "--part", name, "--seconds", str(seconds), "--size", size, "--out", str(out)]
    log = out / "log.txt"
    with log.open("a") as file:
        file.write(f"\n===== {name}\n")
        file.flush()
        start = log.stat().st_size
        began = time.monotonic()
        process = subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT)
        try:
            code = process.wait(seconds + 5)
            why = "" if code == 0 else f"ended with exit code {code}:\n{_tail(log, start)}"
        except subprocess.TimeoutExpired:
            why = f"killed after {seconds:.0f} s:\n{_tail(log, start)}"
            _kill_tree(process.pid)
    process.wait()
    return Outcome(name, time.monotonic() - began, why)


def _kill_tree(pid: int) -> None:
    parent = psutil.Process(pid)
    for process in [*parent.children(recursive=True), parent]:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()


def _tail(log: Path, start: int, length: int = 4000) -> str:
    with log.open(errors="replace") as file:
        file.seek(start)
        return file.read()[-length:]


def write_report(out: Path, findings: list[Finding], outcomes: list[Outcome]) -> str:
    """Write the report of the parts so far; return it as Markdown."""
    sections = ["# GPU report"]
    for name, part in PARTS.items():
        found = [finding for finding in findings if finding.part == name]
        if found:
            sections.append(f"## {part.title}\n\n{markdown(found)}")
    failed = [outcome for outcome in outcomes if outcome.why]
    seconds = ", ".join(f"{outcome.part} {outcome.seconds:.0f} s" for outcome in outcomes)
    sections.append(f"## Duration of each part\n\n{seconds}.")
    sections.extend(f"**{outcome.part}** {outcome.why.replace(chr(10), chr(10) * 2, 1)}" for outcome in failed)
    text = "\n\n".join(sections) + "\n"
    (out / "report.md").write_text(text)
    everything = {"findings": [asdict(f) for f in findings], "outcomes": [asdict(o) for o in outcomes]}
    (out / "report.json").write_text(json.dumps(everything, indent=1))
    return text


def run_all(minutes: float, size: str, out: Path, only: list[str]) -> int:
    """Run the parts within the time limit; return the exit code."""
    deadline = time.monotonic() + 60 * minutes
    out.mkdir(parents=True, exist_ok=True)
    for name in ("findings.jsonl", "log.txt", "report.md", "report.json"):
        (out / name).unlink(missing_ok=True)
    outcomes: list[Outcome] = []
    text = ""
    for name in only:
        part, left = PARTS[name], deadline - time.monotonic()
        if left < part.min_seconds:
            outcomes.append(
                Outcome(name, 0, f"not run: {max(0, left):.0f} s were left, {part.min_seconds:.0f} s are needed")
            )
        else:
            print(f"{name} ({left:.0f} s left)", flush=True)
            outcomes.append(run_in_subprocess(name, min(part.seconds, left / 2), size, out))
            if outcomes[-1].why:
                print(f"{name}: {outcomes[-1].why}", flush=True)
        text = write_report(out, read_findings(out / "findings.jsonl"), outcomes)
    print(text)
    return int(any(outcome.why for outcome in outcomes))


def run_part(name: str, seconds: float, size: str, out: Path) -> None:
    """Run one part in this process."""
    keep_freed_memory()
    torch.set_num_threads(1)
    folder = out / "work" / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    record = Record(out / "findings.jsonl", name)
    PARTS[name].run(Context(SIZES[size], training_device(), folder, record, time.monotonic() + seconds))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=8, help="time limit for all parts together")
    parser.add_argument("--out", type=Path, default=Path("bench/gpu"), help="output folder for the report and the log")
    parser.add_argument("--size", choices=SIZES, help="default: full with a GPU, toy without")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS), help="parts to run")
    parser.add_argument("--part", choices=PARTS, help=argparse.SUPPRESS)
    parser.add_argument("--seconds", type=float, help=argparse.SUPPRESS)
    options = parser.parse_args()
    size = options.size or ("full" if torch.cuda.is_available() else "toy")
    if options.part:
        run_part(options.part, options.seconds, size, options.out.absolute())
    else:
        sys.exit(run_all(options.minutes, size, options.out.absolute(), options.only))


if __name__ == "__main__":
    main()
