"""``python -m benchmarks.speed.publishing_cost``: what the dashboard's pictures, notes and figures cost a worker.

Runs a search in this process as a worker without a launcher does, with the default training, and measures the CPU time
of drawing and storing. Prints a Markdown table.
"""

import argparse
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import torch

from benchmarks.shared.synthetic_searches import Synthetic, new_locations
from nlb_search.search.creation.study_creation import StudyRequest, create_or_open
from nlb_search.search.publishing.publisher import Publisher
from nlb_search.search.workers import trial_results
from nlb_search.search.workers.shutdown import Stop
from nlb_search.search.workers.worker import work

RECORDINGS = (Synthetic("mc_rtt", neurons=80, trials=500), Synthetic("mc_maze_small", neurons=142, trials=200))
"""The second has conditions, and so all pictures."""

PARTS = ((trial_results, "attach_pictures"), (Publisher, "read_and_update"))


@contextmanager
def timed_parts() -> Iterator[dict[str, float]]:
    """Yields the CPU seconds spent in each of ``PARTS``, by its name, while the context lasts."""
    seconds: dict[str, float] = defaultdict(float)

    def timed(function: Callable[..., None], name: str) -> Callable[..., None]:
        def run(*arguments: Any) -> None:
            began = time.process_time()
            function(*arguments)
            seconds[name] += time.process_time() - began

        return run

    patches = [patch.object(owner, name, timed(getattr(owner, name), name)) for owner, name in PARTS]
    for each in patches:
        each.start()
    try:
        yield seconds
    finally:
        for each in patches:
            each.stop()


def row(recording: Synthetic, trials: int) -> str:
    locations = new_locations(recording.data, "publishing")
    request = StudyRequest(dataset=recording.dataset, architectures=("GRU(2) -> FF -> exp",), trials=trials)
    study = create_or_open(locations, "publishing", request)
    began = time.process_time()
    with timed_parts() as seconds:
        work(study, Stop(), publisher=Publisher(study))
    total = time.process_time() - began
    pictures, publishing = (seconds[name] for _, name in PARTS)
    share = 100 * (pictures + publishing) / total
    return f"| {recording} | {total:.0f} s | {pictures:.2f} s | {publishing:.2f} s | {share:.2f}% |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=8)
    options = parser.parse_args()
    torch.set_num_threads(1)
    print(f"| recording | CPU time of {options.trials} trials | pictures of trials | notes and figures | share |")
    print("|---|---|---|---|---|")
    for recording in RECORDINGS:
        print(row(recording, options.trials), flush=True)


if __name__ == "__main__":
    main()
