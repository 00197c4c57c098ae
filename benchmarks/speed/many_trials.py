"""``python -m benchmarks.speed.many_trials``: trials an hour against the number of workers, and what a worker takes.

Searches one recording with real worker processes again and again, each time with another number of them or of trials
side by side. All trials cost the same: their sizes are fixed and nothing is pruned. Prints Markdown tables.
"""

import argparse
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass

import psutil

from benchmarks.shared.synthetic_searches import FOLDER, Synthetic, new_locations
from nlb_search.search.launching.worker_process import MODULE
from nlb_search.search.study.open_study import open_named_study

RECORDING = Synthetic("mc_rtt", neurons=80, trials=500)
EPOCHS = 3
SPACE = """\
hidden = [40]
num_layers = [2]
bidirectional = [true]
input_size = ["DT"]
"""


@dataclass(frozen=True)
class Measured:
    """One search: trials an hour while all workers ran, and the megabytes of a worker that are its own."""

    trials_per_hour: float
    own_memory: float


def searched(workers: int, side_by_side: int, trials: int, gpus: str) -> Measured:
    """Search with so many workers; the clock runs from the first trial's begin to the last one's end."""
    name = f"many-{workers}-{side_by_side}"
    locations = new_locations(RECORDING, name)
    space = FOLDER / "same-sizes.toml"
    space.write_text(SPACE)
    options = {
        "--dataset": RECORDING.dataset,
        "--arch": "rnnf",
        "--trials": trials,
        "--epochs": EPOCHS,
        "--pruner": "none",
        "--space": space,
        "--workers": workers,
        "--side-by-side": side_by_side,
        "--gpus": gpus,
        "--data": locations.data,
        "--storage": locations.url,
        "--artifacts": locations.artifacts,
    }
    command = [sys.executable, *MODULE, "launch", name, *(str(word) for pair in options.items() for word in pair)]
    launcher = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    memory = _watch(launcher)
    if launcher.returncode:
        sys.exit(f"the search failed: {' '.join(command)}")
    done = open_named_study(locations, name).study.get_trials()
    begun = min(trial.datetime_start for trial in done if trial.datetime_start)
    ended = max(trial.datetime_complete for trial in done if trial.datetime_complete)
    return Measured(len(done) / (ended - begun).total_seconds() * 3600, memory)


def _watch(launcher: subprocess.Popen[bytes]) -> float:
    """Wait for the launcher; returns the most megabytes that one of its workers had for itself."""
    most = 0.0
    while launcher.poll() is None:
        for worker in psutil.Process(launcher.pid).children():
            try:
                most = max(most, worker.memory_full_info().uss / 2**20)
            except psutil.Error:  # it has just ended
                continue
        time.sleep(0.5)
    return most


def memory_of_torch() -> float:
    """Megabytes that a process has for itself which imports torch and does nothing else."""
    script = "import torch, psutil; print(psutil.Process().memory_full_info().uss / 2**20)"
    return float(subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout)


def table(choices: list[tuple[int, int]], rounds: int, gpus: str) -> str:
    """Trials an hour for pairs of workers and trials side by side, against the first of them."""
    rows, alone = [], 0.0
    torch_alone = memory_of_torch()
    for workers, side_by_side in choices:
        found = [searched(workers, side_by_side, 2 * workers * side_by_side, gpus) for _ in range(rounds)]
        rates = [measured.trials_per_hour for measured in found]
        median = statistics.median(rates)
        alone = alone or median
        own = max(measured.own_memory for measured in found) - torch_alone
        spread = f"{min(rates):.0f} to {max(rates):.0f}"
        rows.append(f"| {workers} | {side_by_side} | {median:.0f} | {spread} | {median / alone:.2f} | {own:.0f} MB |")
    head = "| workers | side by side | trials an hour | of the rounds | against the first | a worker's own memory |"
    return "\n".join([head, "|---|---|---|---|---|---|", *rows])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--side-by-side", type=int, nargs="+", default=[1, 4])
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--gpus", default="none", help="all, none, or numbers, as for launch")
    options = parser.parse_args()
    choices = [(workers, side_by_side) for side_by_side in options.side_by_side for workers in options.workers]
    print(table(choices, options.rounds, options.gpus))


if __name__ == "__main__":
    main()
