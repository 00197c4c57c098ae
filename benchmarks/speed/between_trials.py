"""``python -m benchmarks.speed.between_trials``: time that a worker spends per trial outside of training.

Runs trials in this process as a worker does and times each step. Prints a Markdown table of medians: starting a trial
(claim, settings, network) and finishing it (best network, metrics, score).
"""

import argparse
import statistics
import time

import torch

from benchmarks.shared.synthetic_searches import Synthetic, new_locations
from nlb_search.search.creation.study_creation import StudyRequest, create_or_open
from nlb_search.search.workers.memory import keep_freed_memory
from nlb_search.search.workers.shutdown import Stop
from nlb_search.search.workers.trials_side_by_side import TrialsSideBySide
from nlb_search.search.workers.worker import make_context
from nlb_search.storage.database.retrying import DatabaseRetry

RECORDING = Synthetic("mc_rtt", neurons=80, trials=500)
EPOCHS = 4


def measure(recording: Synthetic, trials: int) -> tuple[list[float], list[float]]:
    """Seconds to start and to finish each trial."""
    locations = new_locations(recording.data, "between")
    request = StudyRequest(
        dataset=recording.dataset, architectures=("GRU(2) -> FF -> exp",), trials=trials, epochs=EPOCHS, pruner="none"
    )
    study, stop = create_or_open(locations, "between", request), Stop()
    claims = study.claims(DatabaseRetry(stop))
    starts, finishes = [], []
    with claims.heartbeat() as heartbeat:
        running = TrialsSideBySide(make_context(study, stop), heartbeat, side_by_side=1)
        while not claims.is_finished():
            began = time.perf_counter()
            running.fill(claims)
            starts.append(time.perf_counter() - began)
            evaluations = []
            while len(running):
                began = time.perf_counter()
                running.advance()
                evaluations.append(time.perf_counter() - began)
            # The last evaluation includes an epoch like the others and the end of the trial.
            finishes.append(evaluations[-1] - statistics.median(evaluations[:-1]))
    return starts, finishes


def table(trials: int) -> str:
    starts, finishes = measure(RECORDING, trials)
    rows = [
        f"| {step} | {statistics.median(times):.3f} s | {min(times):.3f} to {max(times):.3f} |"
        for step, times in (("start a trial", starts), ("finish a trial", finishes))
    ]
    return "\n".join([f"| step | median of {trials} trials | range |", "|---|---|---|", *rows])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=8)
    options = parser.parse_args()
    torch.set_num_threads(1)
    keep_freed_memory()
    print(table(options.trials))


if __name__ == "__main__":
    main()
