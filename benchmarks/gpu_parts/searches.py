"""Whole searches by the command line, as a user starts them; and one whose workers are killed."""

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
    """One study in a folder of its own, searched by ``nlb-search launch``."""

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
        """Start to search; its words go to the log of all parts."""
        command = ["launch", self.name, "--dataset", self.recording.dataset, "--arch", "rnnf", *options]
        return subprocess.Popen([sys.executable, *MODULE, *command], env=self.environment)

    def status(self) -> StudyStatus | None:
        """Where the study stands, or None as long as there is none."""
        try:
            return study_status(open_named_study(self.locations, self.name))
        except (StorageError, SearchError):
            return None


def one_worker(context: Context) -> None:
    """A search with pruning and everything else left to the defaults: one worker on each GPU."""
    _measure(context, "search-default")


def four_workers(context: Context) -> None:
    """The same search by four workers on one GPU."""
    if not context.has_gpu:
        context.without_gpu("A search by four workers that share a GPU")
        return
    _measure(context, "search-four", "--workers-per-gpu", "4")


def _measure(context: Context, name: str, *options: str) -> None:
    search = Search(context, name)
    use = _use_of_gpu(context.folder / f"{name}.csv") if context.has_gpu else None
    began = time.monotonic()
    launch = search.launch("--trials", str(context.size.search_trials), *options)
    try:
        launch.wait(max(1.0, context.seconds_left - 15))
        ended = "budget met"
    except subprocess.TimeoutExpired:
        launch.send_signal(signal.SIGINT)
        launch.wait()
        ended = "cut off"
    wall = time.monotonic() - began
    if use is not None:
        use.terminate()
    busy, memory = _read_use(context.folder / f"{name}.csv")
    status = search.status()
    if status is None:
        raise RuntimeError("launch made no study")
    context.record.row(
        f"{context.size.search_trials} trials of rnnf by `launch` {' '.join(options)}".rstrip(),
        ended=ended,
        seconds=wall,
        complete=status.states["complete"],
        pruned=status.states["pruned"],
        failed=status.states["fail"],
        best_co_bps=status.best.value or 0.0 if status.best else 0.0,
        GPU_busy=busy,
        GiB_of_GPU=memory,
    )
    if launch.returncode not in (0, 130):
        raise RuntimeError(f"launch ended with exit code {launch.returncode}")


def _use_of_gpu(path: Path) -> "subprocess.Popen[bytes]":
    """Write the GPU's use once a second: percent of the time with a kernel, and megabytes."""
    with path.open("w") as file:
        query = ["nvidia-smi", "--query-gpu=utilization.gpu,memory.used", "--format=csv,noheader,nounits", "-l", "1"]
        return subprocess.Popen(query, stdout=file)


def _read_use(path: Path) -> tuple[str, str]:
    """The mean use, from the first second with one, and the most memory."""
    if not path.exists():
        return "-", "-"
    rows = [[float(cell) for cell in line.split(",")] for line in path.read_text().splitlines()]
    used = [row for row in rows if row[0] > 0]
    if not used:
        return "0 %", "-"
    return f"{sum(row[0] for row in used) / len(used):.0f} %", f"{max(row[1] for row in rows) / 1024:.1f}"


def kills(context: Context) -> None:
    """Kill workers of one device with SIGKILL. Raises RuntimeError if the budget does not come out exact."""
    search, budget = Search(context, "kills"), context.size.kill_trials
    share = ["--workers-per-gpu", "2"] if context.has_gpu else ["--workers", "2"]
    options = ["--trials", str(budget), "--epochs", str(context.size.kill_epochs), "--pruner", "none"]
    launch = search.launch(*options, "--side-by-side", "2", *share)
    killed = 0
    while launch.poll() is None and context.seconds_left > 10:
        time.sleep(POLL_SECONDS)
        status = search.status()
        # One more trial finishes before each kill, so that it is never the same one that loses its worker.
        if status and killed <= min(status.finished, KILLS - 1) and any(at.worker for at in status.workers):
            killed += _kill(launch, status)
    if launch.poll() is None:
        launch.send_signal(signal.SIGINT)
        launch.wait()
    status = search.status()
    states = status.states if status else {}
    finished = states.get("complete", 0) + states.get("pruned", 0)
    context.record.row(
        "Workers of one device killed", SIGKILL=killed, budget=budget, finished=finished, states=json.dumps(states)
    )
    if finished != budget or not killed:
        raise RuntimeError(f"{finished} of {budget} trials finished after {killed} kills")


def _kill(launch: "subprocess.Popen[bytes]", status: StudyStatus) -> int:
    """Kill a worker of the launch, a moment after a trial began; returns how many were killed."""
    print(f"killing a worker at {status.states}", flush=True)
    try:
        workers = psutil.Process(launch.pid).children()
        min(workers, key=lambda worker: worker.create_time()).kill()
    except (psutil.NoSuchProcess, ValueError):
        return 0
    return 1
