"""``python -m benchmarks.speed.startup``: how long commands take that a person waits for.

Prints a Markdown table: the median CPU time and wall time of several runs of each command, in processes of their own.
The study has 100 finished trials in SQLite.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.service.load_study import make
from nlb_search.search.launching.worker_process import MODULE
from nlb_search.search.study.open_study import Locations
from nlb_search.storage.database.urls import parse_url

COMMANDS = (("--help",), ("launch", "--help"), ("studies",), ("status", "study"))
TRIALS, RUNS = 100, 7


def seconds_of(arguments: tuple[str, ...], folder: Path) -> tuple[float, float]:
    """CPU and wall time of one run of a command."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("NLB_SEARCH_")}
    before, began = os.times(), time.perf_counter()
    subprocess.run([sys.executable, *MODULE, *arguments], cwd=folder, env=own, check=True, stdout=subprocess.DEVNULL)
    wall, after = time.perf_counter() - began, os.times()
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return cpu, wall


def main() -> None:
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        url = parse_url(f"sqlite:///{folder}/nlb-search.db")
        make(Locations(url, folder / "nlb-search.db.artifacts", folder), "study", TRIALS)
        print(f"| command | CPU time, median of {RUNS} | wall time |\n|---|---|---|")
        for arguments in COMMANDS:
            seconds_of(arguments, folder)  # reads the files of the packages from the disk
            runs = [seconds_of(arguments, folder) for _ in range(RUNS)]
            cpu, wall = (statistics.median(each) for each in zip(*runs, strict=True))
            print(f"| `nlb-search {' '.join(arguments)}` | {cpu:.2f} s | {wall:.2f} s |")


if __name__ == "__main__":
    main()
