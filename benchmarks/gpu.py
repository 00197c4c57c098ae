"""``python benchmarks/gpu.py --minutes 8 --out DIR``: everything that needs a GPU, checked and measured in one command.

Parts run one after the other, most important first, each in a separate process: one that crashes, hangs or runs out
of time costs itself alone, and leaves what it had measured. None takes more than half of the time that is left. After
each part ``DIR/report.md`` and ``DIR/report.json`` are written again, with what failed and why; ``DIR/log.txt`` has
everything that was printed. The exit code is 1 if a part failed.

Without a GPU the same command runs to its end at toy sizes, and says what it did not run.
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
    """One part: ``seconds`` is the most that it may take, ``least`` what it needs to be worth a start."""

    title: str
    run: Callable[[Context], None]
    seconds: float
    least: float


def synthesize(context: Context) -> None:
    """Write the recording that searches and curves need, if it is not there."""
    recording = context.size.recording
    began = time.perf_counter()
    n_train, n_val = recording.recording.train.n_trials, recording.recording.val.n_trials
    context.record.say(f"{recording}: {n_train} train and {n_val} val trials ({time.perf_counter() - began:.0f} s).")


PARTS = {
    "device": Part("Machine", check.device, 60, 5),
    "recording": Part("Recording", synthesize, 120, 5),
    "tests": Part("Tests that need a GPU", check.tests, 90, 20),
    "curves": Part("A GPU against a CPU", curves.run, 90, 30),
    "search": Part("A search", searches.one_worker, 300, 60),
    "together": Part("Trials side by side", steps.together, 75, 20),
    "processes": Part("Processes", steps.processes, 90, 30),
    "profile": Part("Where a step's time goes", profiles.run, 60, 20),
    "memory": Part("Memory", memory.run, 60, 20),
    "variants": Part("Graphs, precision, recurrence", steps.variants, 60, 20),
    "kills": Part("Killed workers", searches.kills, 90, 45),
    "search-four": Part("A search by four workers", searches.four_workers, 300, 60),
}
"""In the order of what matters most."""


@dataclass(frozen=True)
class Outcome:
    """What became of a part; ``why`` is empty where it ran to its end."""

    part: str
    seconds: float
    why: str


def run_apart(name: str, seconds: float, size: str, out: Path) -> Outcome:
    """Run a part in a separate process; kill it and all that it started after so many seconds."""
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
            why = f"cut off after {seconds:.0f} s:\n{_tail(log, start)}"
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
    """Write the report as far as it is known; returns its Markdown."""
    sections = ["# Measured on a GPU"]
    for name, part in PARTS.items():
        found = [finding for finding in findings if finding.part == name]
        if found:
            sections.append(f"## {part.title}\n\n{markdown(found)}")
    failed = [outcome for outcome in outcomes if outcome.why]
    seconds = ", ".join(f"{outcome.part} {outcome.seconds:.0f} s" for outcome in outcomes)
    sections.append(f"## How it went\n\n{seconds}.")
    sections.extend(f"**{outcome.part}** {outcome.why.replace(chr(10), chr(10) * 2, 1)}" for outcome in failed)
    text = "\n\n".join(sections) + "\n"
    (out / "report.md").write_text(text)
    everything = {"findings": [asdict(f) for f in findings], "outcomes": [asdict(o) for o in outcomes]}
    (out / "report.json").write_text(json.dumps(everything, indent=1))
    return text


def run_all(minutes: float, size: str, out: Path, only: list[str]) -> int:
    """Run the parts in the time there is; returns the exit code."""
    deadline = time.monotonic() + 60 * minutes
    out.mkdir(parents=True, exist_ok=True)
    for left_over in ("findings.jsonl", "log.txt", "report.md", "report.json"):
        (out / left_over).unlink(missing_ok=True)
    outcomes: list[Outcome] = []
    text = ""
    for name in only:
        part, left = PARTS[name], deadline - time.monotonic()
        if left < part.least:
            outcomes.append(Outcome(name, 0, f"not run: {max(0, left):.0f} s were left, and it needs {part.least:.0f}"))
        else:
            print(f"{name} ({left:.0f} s left)", flush=True)
            outcomes.append(run_apart(name, min(part.seconds, left / 2), size, out))
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
    parser.add_argument("--minutes", type=float, default=8, help="time for all parts together")
    parser.add_argument("--out", type=Path, default=Path("bench/gpu"), help="folder of the report and the log")
    parser.add_argument("--size", choices=SIZES, help="full where there is a GPU, else toy")
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
