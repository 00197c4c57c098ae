"""Runs searches from the command line, and one whose workers are killed."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil

from benchmarks.gpu_parts.context import Context
from nlb_search.search.errors import SearchError
from nlb_search.search.launching.worker_process import MODULE
from nlb_search.search.study.open_study import Locations, open_named_study
from nlb_search.search.study.status import StudyStatus, study_status
from nlb_search.storage.database.urls import parse_url
from nlb_search.storage.errors import StorageError

KILLS = 3
POLL_SECONDS = 0.5


class Search:
    """A study in a separate folder, searched by ``nlb-search launch``."""

    def __init__(self, context: Context, name: str) -> None:
        self.name, self.folder = name, context.folder / name
        self.folder.mkdir(parents=True)
        self.environment = os.environ | {
            "NLB_SEARCH_STORAGE": f"sqlite:///{self.folder}/studies.db",
            "NLB_SEARCH_ARTIFACTS": str(self.folder / "artifacts"),
            "NLB_SEARCH_DATA": str(context.size.recording.data),
        }
        self.recording = context.size.recording
        url = parse_url(self.environment["NLB_SEARCH_STORAGE"])
        self.locations = Locations(url, self.folder / "artifacts", self.recording.data)

    def launch(self, *options: str) -> "subprocess.Popen[bytes]":
        """Start the search. Its output goes to the log of the parts."""
        command = ["launch", self.name, "--dataset", self.recording.dataset, "--arch", "rnnf", *options]
        return subprocess.Popen([sys.executable, *MODULE, *command], env=self.environment)

    def status(self) -> StudyStatus | None:
        """The status of the study, or None before the study exists."""
        try:
            return study_status(open_named_study(self.locations, self.name))
        except (StorageError, SearchError):
            return None


def one_worker(context: Context) -> None:
    """A search with the default options: pruning, and one worker per GPU."""
    _measure(context, "search-default")


def four_workers(context: Context) -> None:
    """The same search with four workers on one GPU."""
    if not context.has_gpu:
        context.skip_without_gpu("Search with four workers on one GPU")
        return
    _measure(context, "search-four", "--workers-per-gpu", "4")


def _measure(context: Context, name: str, *options: str) -> None:
    search = Search(context, name)
    monitor = _start_monitor(context.folder / f"{name}.csv") if context.has_gpu else None
    began = time.monotonic()
    launch = search.launch("--trials", str(context.size.search_trials), *context.size.search_options, *options)
    try:
        launch.wait(max(1.0, context.seconds_left - 15))
        ended = "all trials finished"
    except subprocess.TimeoutExpired:
        launch.send_signal(signal.SIGINT)
        launch.wait()
        ended = "interrupted"
    wall = time.monotonic() - began
    if monitor is not None:
        monitor.terminate()
    utilization, memory = _read_monitor(context.folder / f"{name}.csv")
    status = search.status()
    if status is None:
        raise RuntimeError("launch did not create a study")
    context.record.row(
        f"{context.size.search_trials} trials of rnnf with `launch` {' '.join(options)}".rstrip(),
        ended=ended,
        seconds=wall,
        complete=status.states["complete"],
        pruned=status.states["pruned"],
        failed=status.states["fail"],
        best_co_bps=status.best.value or 0.0 if status.best else 0.0,
        GPU_utilization=utilization,
        GPU_memory_GiB=memory,
    )
    if launch.returncode not in (0, 130):
        raise RuntimeError(f"launch ended with exit code {launch.returncode}")


def _start_monitor(path: Path) -> "subprocess.Popen[bytes]":
    """Start nvidia-smi, which writes GPU utilization (percent) and used memory (MB) to ``path`` once per second."""
    with path.open("w") as file:
        query = ["nvidia-smi", "--query-gpu=utilization.gpu,memory.used", "--format=csv,noheader,nounits", "-l", "1"]
        return subprocess.Popen(query, stdout=file)


def _read_monitor(path: Path) -> tuple[str, str]:
    """Mean utilization over the seconds in which the GPU was used, and peak memory."""
    if not path.exists():
        return "-", "-"
    rows = [[float(cell) for cell in line.split(",")] for line in path.read_text().splitlines()]
    used = [row for row in rows if row[0] > 0]
    if not used:
        return "0 %", "-"
    return f"{sum(row[0] for row in used) / len(used):.0f} %", f"{max(row[1] for row in rows) / 1024:.1f}"


def kills(context: Context) -> None:
    """Kill workers on one device with SIGKILL. Raises RuntimeError unless exactly ``--trials`` trials finish."""
    search, budget = Search(context, "kills"), context.size.kill_trials
    workers = ["--workers-per-gpu", "2"] if context.has_gpu else ["--workers", "2"]
    options = ["--trials", str(budget), "--epochs", str(context.size.kill_epochs), "--pruner", "none"]
    launch = search.launch(*options, "--side-by-side", "2", *workers)
    killed = 0
    while launch.poll() is None and context.seconds_left > 10:
        time.sleep(POLL_SECONDS)
        status = search.status()
        # Wait for one more finished trial before each kill, so that no trial loses its worker twice.
        if status and killed <= min(status.finished, KILLS - 1) and any(worker.worker for worker in status.workers):
            killed += _kill(launch, status)
    if launch.poll() is None:
        launch.send_signal(signal.SIGINT)
        launch.wait()
    status = search.status()
    states = status.states if status else {}
    finished = states.get("complete", 0) + states.get("pruned", 0)
    context.record.row(
        "Workers on one device killed", SIGKILL=killed, budget=budget, finished=finished, states=json.dumps(states)
    )
    if finished != budget or not killed:
        raise RuntimeError(f"{finished} of {budget} trials finished after {killed} kills")


def _kill(launch: "subprocess.Popen[bytes]", status: StudyStatus) -> int:
    """Kill the oldest worker of the launch; return the number of killed workers."""
    print(f"killing a worker; trials: {status.states}", flush=True)
    try:
        workers = psutil.Process(launch.pid).children()
        min(workers, key=lambda worker: worker.create_time()).kill()
    except (psutil.NoSuchProcess, ValueError):
        return 0
    return 1
