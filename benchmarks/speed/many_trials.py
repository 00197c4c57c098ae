"""``python -m benchmarks.speed.many_trials``: trials per hour and memory for different numbers of workers.

Searches one recording with different numbers of worker processes and of trials side by side. All trials take the same
time: their sizes are fixed and no trial is pruned. Prints a Markdown table.
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
class Measurement:
    """Result of one search: trials per hour, and the largest private memory (USS) of a worker in MB."""

    trials_per_hour: float
    private_mb: float


def measure(workers: int, side_by_side: int, trials: int, gpus: str) -> Measurement:
    """Run one search. The time is measured from the start of the first trial to the end of the last."""
    name = f"many-{workers}-{side_by_side}"
    locations = new_locations(RECORDING.data, name)
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
    command = [
        sys.executable,
        *MODULE,
        "launch",
        name,
        *(str(argument) for option in options.items() for argument in option),
    ]
    launcher = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    memory = _peak_private_mb(launcher)
    if launcher.returncode:
        sys.exit(f"the search failed: {' '.join(command)}")
    done = open_named_study(locations, name).study.get_trials()
    started = min(trial.datetime_start for trial in done if trial.datetime_start)
    ended = max(trial.datetime_complete for trial in done if trial.datetime_complete)
    return Measurement(len(done) / (ended - started).total_seconds() * 3600, memory)


def _peak_private_mb(launcher: subprocess.Popen[bytes]) -> float:
    """Wait for the launcher to end; return the largest private memory of a worker in MB."""
    peak = 0.0
    while launcher.poll() is None:
        for worker in psutil.Process(launcher.pid).children():
            try:
                peak = max(peak, worker.memory_full_info().uss / 2**20)
            except psutil.Error:  # the process has just ended
                continue
        time.sleep(0.5)
    return peak


def private_mb_of_torch() -> float:
    """Private memory in MB of a process that only imports torch."""
    script = "import torch, psutil; print(psutil.Process().memory_full_info().uss / 2**20)"
    return float(subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout)


def table(combinations: list[tuple[int, int]], rounds: int, gpus: str) -> str:
    """One row per pair (workers, trials side by side). Speedups are relative to the first pair."""
    rows, first_rate = [], 0.0
    torch_mb = private_mb_of_torch()
    for workers, side_by_side in combinations:
        measurements = [measure(workers, side_by_side, 2 * workers * side_by_side, gpus) for _ in range(rounds)]
        rates = [measurement.trials_per_hour for measurement in measurements]
        median = statistics.median(rates)
        first_rate = first_rate or median
        private_mb = max(measurement.private_mb for measurement in measurements) - torch_mb
        rate_range = f"{min(rates):.0f} to {max(rates):.0f}"
        cells = [f"{median:.0f}", rate_range, f"{median / first_rate:.2f}", f"{private_mb:.0f} MB"]
        rows.append(f"| {workers} | {side_by_side} | {' | '.join(cells)} |")
    head = "| workers | side by side | trials per hour | range | speedup | memory per worker without torch |"
    return "\n".join([head, "|---|---|---|---|---|---|", *rows])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--side-by-side", type=int, nargs="+", default=[1, 4])
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--gpus", default="none", help="all, none, or GPU numbers, as for launch")
    options = parser.parse_args()
    combinations = [(workers, side_by_side) for side_by_side in options.side_by_side for workers in options.workers]
    print(table(combinations, options.rounds, options.gpus))


if __name__ == "__main__":
    main()
