"""``python -m benchmarks.speed.one_trial``: time of one trial to given co-bps, compared with two plain loops.

Trains with the published loop, a plain minibatch loop and nlb-search, each with its best settings, on the same
recording, chain and split. The published loop runs alone on all cores, because its large batches benefit from them; the
others use one core each. Prints a Markdown table: the median, fastest and slowest time over seeds.
"""

import argparse
import os
import statistics
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context

import torch

from benchmarks.speed.minibatch_loop import minibatch_loop
from benchmarks.speed.plain_network import RECORDING
from benchmarks.speed.published_loop import published_loop
from nlb_search.models.architecture.chain import parse_chain
from nlb_search.models.hyperparameters import Hyperparameters
from nlb_search.models.training.trainer import fit
from nlb_search.models.training.training import Training
from nlb_search.models.training.training_plan import TrainingPlan
from nlb_search.search.workers.memory import keep_freed_memory

CHAIN = "GRU(2) -> FF -> exp"
HIGH_FRACTION = 0.9
"""The higher target is this fraction of the ceiling. The lower target is the final score of the published loop."""

Curve = tuple[tuple[float, float], ...]
"""Pairs of seconds and the best co-bps on val so far."""

FAST = Hyperparameters(lr=0.03, hidden=24)
FAST_EPOCHS = 6
"""The settings that reach HIGH_FRACTION fastest. The default settings take longer and reach a higher score."""


def ours(seed: int) -> Iterator[tuple[float, float]]:
    keep_freed_memory()
    began = time.process_time()
    train, val = RECORDING.train, RECORDING.val
    training = Training(parse_chain(CHAIN), FAST, TrainingPlan(epochs=FAST_EPOCHS), train, seed, torch.device("cpu"))
    best = 0.0
    for evaluation in fit(training, val):
        best = max(best, evaluation.co_bps)
        yield time.process_time() - began, best


def plain(seed: int) -> Iterator[tuple[float, float]]:
    return ((reached.seconds, reached.co_bps) for reached in minibatch_loop(RECORDING.recording, seed))


def published(seed: int) -> Iterator[tuple[float, float]]:
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    curve = published_loop(RECORDING.recording, seed, clock=time.perf_counter)
    return ((reached.seconds, reached.co_bps) for reached in curve)


@dataclass(frozen=True)
class Job:
    """One curve to measure."""

    loop: Callable[[int], Iterator[tuple[float, float]]]
    seed: int
    seconds: float


def curve(job: Job) -> Curve:
    """Run the loop until it ends or exceeds its time limit."""
    torch.set_num_threads(1)
    points = []
    for seconds, co_bps in job.loop(job.seed):
        points.append((seconds, co_bps))
        if seconds >= job.seconds:
            break
    return tuple(points)


def run_jobs(jobs: list[Job], n_processes: int) -> list[Curve]:
    """Measure the curves, each in a separate process."""
    with ProcessPoolExecutor(n_processes, get_context("spawn"), max_tasks_per_child=1) as pool:
        return list(pool.map(curve, jobs))


def time_to(value: float, points: Curve) -> float:
    """Seconds until the curve reaches ``value``; infinite if it never does."""
    return next((seconds for seconds, co_bps in points if co_bps >= value), float("inf"))


def times_cell(curves: list[Curve], value: float) -> str:
    """A table cell: the times to ``value``, or how many seeds reach it if not all do."""
    times = [time_to(value, points) for points in curves]
    if float("inf") in times:
        return f"{sum(time < float('inf') for time in times)} of {len(times)} seeds"
    return f"{statistics.median(times):.1f} s ({min(times):.1f} to {max(times):.1f})"


def ratio(slow: list[Curve], fast: list[Curve], value: float) -> str:
    """Ratio of the median times to ``value``."""
    medians = [statistics.median(time_to(value, points) for points in curves) for curves in (slow, fast)]
    return f"{medians[0] / medians[1]:.1f}" if medians[0] < float("inf") else "never reached"


def report(seconds: float, seeds: int, published_seeds: int) -> str:
    """The table and the two speedups."""
    RECORDING.recording  # noqa: B018  generate it once, before the workers start
    of_loop = {published: run_jobs([Job(published, seed, seconds) for seed in range(published_seeds)], 1)}
    for loop in (plain, ours):
        jobs = [Job(loop, seed, float("inf")) for seed in range(seeds)]
        of_loop[loop] = run_jobs(jobs, len(os.sched_getaffinity(0)))
    ceiling = RECORDING.ceilings[0]
    low = statistics.median(points[-1][1] for points in of_loop[published])
    high = HIGH_FRACTION * ceiling
    names = {published: f"published loop, {seconds:.0f} s", plain: "plain minibatch loop", ours: "nlb-search"}
    rows = [
        f"| {name} | {len(of_loop[loop])} | {times_cell(of_loop[loop], low)} | {times_cell(of_loop[loop], high)} "
        f"| {statistics.median(points[-1][1] for points in of_loop[loop]):.4f} |"
        for loop, name in names.items()
    ]
    head = (
        f"| training | seeds | time to {low:.4f}, the final score of the published loop "
        f"| time to {high:.4f}, {HIGH_FRACTION} of the ceiling | final score |"
    )
    against_published = ratio(of_loop[published], of_loop[ours], low)
    against_plain = ratio(of_loop[plain], of_loop[ours], high)
    summary = (
        f"nlb-search reaches {low:.4f} **{against_published} times faster** than the published loop,\n"
        f"and {HIGH_FRACTION} of the ceiling **{against_plain} times faster** than the plain minibatch loop."
    )
    return "\n".join([head, "|---|---|---|---|---|", *rows, "", summary])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=600, help="time limit of the published loop")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--published-seeds", type=int, default=1)
    options = parser.parse_args()
    print(report(options.seconds, options.seeds, options.published_seeds))


if __name__ == "__main__":
    main()
