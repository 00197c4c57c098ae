"""``python -m benchmarks.speed.one_trial``: how soon one trial reaches given co-bps, against two plain loops.

The published loop, a plain minibatch loop and our own training, each with its best settings for this, on the same
recording, chain and split, in one run. The published loop has the machine and all its cores for itself, for its large
batches gain from them; the others have one core each. Prints a Markdown table of medians over seeds, with the fastest
and the slowest seed.
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
from nlb_search.models.training.state import Training
from nlb_search.models.training.trainer import fit
from nlb_search.models.training.training_plan import Plan
from nlb_search.search.workers.memory import keep_freed_memory

CHAIN = "GRU(2) -> FF -> exp"
HIGH_SHARE = 0.9
"""The higher of the two values is this share of the ceiling; the lower is what the published loop reaches."""

Curve = tuple[tuple[float, float], ...]
"""Seconds, and the best co-bps on val by then."""

FAST = Hyperparameters(lr=0.03, hidden=24)
FAST_EPOCHS = 6
"""The settings that reach HIGH_SHARE soonest. The usual ones take longer and end higher."""


def ours(seed: int) -> Iterator[tuple[float, float]]:
    keep_freed_memory()
    began = time.process_time()
    train, val = RECORDING.train, RECORDING.val
    training = Training(parse_chain(CHAIN), FAST, Plan(epochs=FAST_EPOCHS), train, seed, torch.device("cpu"))
    best = 0.0
    for progress in fit(training, val):
        best = max(best, progress.co_bps)
        yield time.process_time() - began, best


def plain(seed: int) -> Iterator[tuple[float, float]]:
    return ((reached.seconds, reached.co_bps) for reached in minibatch_loop(RECORDING.recording, seed))


def published(seed: int) -> Iterator[tuple[float, float]]:
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    curve = published_loop(RECORDING.recording, seed, clock=time.perf_counter)
    return ((reached.seconds, reached.co_bps) for reached in curve)


@dataclass(frozen=True)
class Job:
    """One curve to be drawn."""

    loop: Callable[[int], Iterator[tuple[float, float]]]
    seed: int
    seconds: float


def curve(job: Job) -> Curve:
    """What the loop reaches by when, until it ends or its seconds are over."""
    torch.set_num_threads(1)
    points = []
    for seconds, co_bps in job.loop(job.seed):
        points.append((seconds, co_bps))
        if seconds >= job.seconds:
            break
    return tuple(points)


def drawn(jobs: list[Job], at_once: int) -> list[Curve]:
    """The curves of some jobs, each in a separate process."""
    with ProcessPoolExecutor(at_once, get_context("spawn"), max_tasks_per_child=1) as pool:
        return list(pool.map(curve, jobs))


def time_to(value: float, points: Curve) -> float:
    """Seconds until the curve reaches ``value``; infinite if it never does."""
    return next((seconds for seconds, co_bps in points if co_bps >= value), float("inf"))


def shown(curves: list[Curve], value: float) -> str:
    times = [time_to(value, points) for points in curves]
    if float("inf") in times:
        return f"{sum(time < float('inf') for time in times)} of {len(times)} seeds"
    return f"{statistics.median(times):.1f} s ({min(times):.1f} to {max(times):.1f})"


def ratio(slow: list[Curve], fast: list[Curve], value: float) -> str:
    """How many times sooner the fast ones reach a value, by their medians."""
    medians = [statistics.median(time_to(value, points) for points in curves) for curves in (slow, fast)]
    return f"{medians[0] / medians[1]:.1f}" if medians[0] < float("inf") else "never reached"


def report(seconds: float, seeds: int, published_seeds: int) -> str:
    """The table and the two ratios."""
    RECORDING.recording  # noqa: B018  made once, before workers would
    of_loop = {published: drawn([Job(published, seed, seconds) for seed in range(published_seeds)], 1)}
    for loop in (plain, ours):
        jobs = [Job(loop, seed, float("inf")) for seed in range(seeds)]
        of_loop[loop] = drawn(jobs, len(os.sched_getaffinity(0)))
    ceiling = RECORDING.ceilings[0]
    low = statistics.median(points[-1][1] for points in of_loop[published])
    high = HIGH_SHARE * ceiling
    names = {published: f"published loop, {seconds:.0f} s", plain: "plain minibatch loop", ours: "nlb-search"}
    rows = [
        f"| {name} | {len(of_loop[loop])} | {shown(of_loop[loop], low)} | {shown(of_loop[loop], high)} "
        f"| {statistics.median(points[-1][1] for points in of_loop[loop]):.4f} |"
        for loop, name in names.items()
    ]
    head = (
        f"| training | seeds | to {low:.4f}, where the published loop gets "
        f"| to {high:.4f}, {HIGH_SHARE} of the ceiling | reached at its end |"
    )
    against_published = ratio(of_loop[published], of_loop[ours], low)
    against_plain = ratio(of_loop[plain], of_loop[ours], high)
    words = (
        f"nlb-search is at {low:.4f} **{against_published} times sooner** than the published loop, and at {HIGH_SHARE} "
        f"of the\nceiling **{against_plain} times sooner** than the plain minibatch loop."
    )
    return "\n".join([head, "|---|---|---|---|---|", *rows, "", words])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=600, help="of the published loop")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--published-seeds", type=int, default=1)
    options = parser.parse_args()
    print(report(options.seconds, options.seeds, options.published_seeds))


if __name__ == "__main__":
    main()
