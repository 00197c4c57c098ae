"""``make bench``: measures training speed on this machine and writes the tables to ``RESULTS.md``.

Takes less than 15 minutes on two cores; the published loop runs for ten of them. Do not use the machine for other work
during the run. Each part is also a separate program with its own options.
"""

import platform
import time
from pathlib import Path

import torch

from benchmarks.speed import between_trials, many_trials, one_trial, scaling, side_by_side
from nlb_search.search.launching.slots import usable_cores
from nlb_search.search.workers.devices import training_device
from nlb_search.search.workers.memory import keep_freed_memory

RESULTS = Path("benchmarks/RESULTS.md")
BEGIN, END = "<!-- make bench writes from here -->", "<!-- to here -->"


def processor() -> str:
    """The model name of the processor from ``/proc/cpuinfo``."""
    info = Path("/proc/cpuinfo")
    names = [line.split(":")[1].strip() for line in info.read_text().splitlines() if line.startswith("model name")]
    return names[0] if names else platform.machine()


def run_all() -> str:
    """Run all parts one after another; return their tables as Markdown."""
    began = time.monotonic()
    parts = {
        "One trial": one_trial.report(seconds=600, seeds=4, published_seeds=1),
        "Many trials": many_trials.table([(1, 1), (2, 1), (4, 1), (2, 4)], rounds=2, gpus="none"),
        "Between trials": between_trials.table(trials=4),
        "Trials side by side": side_by_side.report([1, 2, 4, 8], n_trials=32, rounds=3),
        "Scale": scaling.report(rounds=3),
    }
    machine = f"{processor()}, {usable_cores()} cores, torch {torch.__version__}, {training_device()}"
    minutes = (time.monotonic() - began) / 60
    sections = [f"### {title}\n\n{text}" for title, text in parts.items()]
    return "\n\n".join([f"Measured on {machine}, in {minutes:.1f} minutes.", *sections])


def main() -> None:
    keep_freed_memory()
    torch.set_num_threads(1)
    text = run_all()
    print(text)
    before, rest = RESULTS.read_text().split(BEGIN)
    _, after = rest.split(END)
    RESULTS.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{after}")


if __name__ == "__main__":
    main()
