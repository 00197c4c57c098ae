"""Runs a search on a Slurm cluster, in jobs of one node each that Slurm requeues until the budget is met."""

import math
import os
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nlb_search.search.errors import SearchError, UsageError
from nlb_search.search.launching.worker_process import MODULE, SHUTDOWN_SECONDS
from nlb_search.search.study.open_study import Locations, OpenStudy

if TYPE_CHECKING:
    from submitit import Job
    from submitit.helpers import DelayedSubmission

WARNING_SECONDS = int(2 * SHUTDOWN_SECONDS)
"""Time before a job's time limit at which it is asked to release its trials."""

MIN_MINUTES = 5
"""Minimum time limit of a job: it needs a minute to start, and stops a minute early."""

MAX_REQUEUES = 10_000
"""Maximum number of times that a job is requeued after its time limit: effectively unlimited."""

PYTHON = f"{shlex.quote(sys.executable)} -P"
"""Python command of a job. -P prevents imports from the working directory, as with the installed command."""


@dataclass(frozen=True, kw_only=True)
class Allocation:
    """Resources requested from Slurm: ``nodes`` jobs of one node each, with a time limit of ``minutes``.

    ``partition`` is None for the cluster's default; ``workers`` is the number of worker processes on each node.
    """

    minutes: int
    partition: str | None
    nodes: int
    gpus_per_node: int
    workers: int

    @property
    def parameters(self) -> dict[str, Any]:
        """Parameters for submitit's Slurm executor."""
        parameters = {
            "time": self.minutes,
            "cpus_per_task": self.workers,
            # Without this, srun starts the job step with one core.
            "srun_args": [f"--cpus-per-task={self.workers}"],
            "signal_delay_s": WARNING_SECONDS,
            "stderr_to_stdout": True,
            # Requeue jobs that were preempted or lost their node.
            "additional_parameters": {"requeue": True},
        }
        if self.partition is not None:
            parameters["partition"] = self.partition
        if self.gpus_per_node:
            parameters["gpus_per_node"] = self.gpus_per_node
        return parameters

    def options(self, side_by_side: int | None) -> tuple[str, ...]:
        """Options of the launch command in each job."""
        together = () if side_by_side is None else ("--side-by-side", str(side_by_side))
        gpus = "all" if self.gpus_per_node else "none"
        return ("--workers", str(self.workers), "--gpus", gpus, *together)


@dataclass(frozen=True)
class Launch:
    """The command of a job: ``nlb-search launch`` with these arguments, for an existing study.

    submitit stores this object in a file beside the job's log, so it contains no secrets: the storage and its password
    come from the job's environment.
    """

    arguments: tuple[str, ...]

    def __call__(self) -> None:
        command = subprocess.Popen([sys.executable, *MODULE, "launch", *self.arguments])
        try:
            code = command.wait()
        finally:
            # Slurm signals every process of a job, so the command exits by itself: wait for it if submitit exits first.
            command.wait()
        if code:
            raise SystemExit(code)

    def checkpoint(self) -> "DelayedSubmission":
        """Called by submitit before requeueing: submits the same command, because trials have their own checkpoints."""
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(self)


def minutes_of(time: str) -> int:
    """Convert a time in Slurm's format (M, M:S, H:M:S, D-H, D-H:M or D-H:M:S) to minutes.

    Raises UsageError for other formats, and for times that are too short to make progress.
    """
    match = re.fullmatch(r"(?:(\d+)-)?(\d+)(?::(\d+))?(?::(\d+))?", time)
    if match is None:
        raise UsageError(f"--time {time}: use Slurm's format: minutes, H:MM:SS or D-HH:MM:SS")
    days, *rest = (None if part is None else int(part) for part in match.groups())
    parts = [part for part in rest if part is not None]
    first = 60.0 if days is not None or len(parts) == 3 else 1.0
    minutes = math.ceil(
        (days or 0) * 24 * 60 + sum(part * first / 60.0**position for position, part in enumerate(parts))
    )
    if minutes < MIN_MINUTES:
        raise UsageError(f"--time {time}: a job needs at least {MIN_MINUTES} minutes")
    return minutes


def check_cluster(locations: Locations) -> None:
    """Raise SearchError if jobs cannot be submitted from here, or if nodes cannot access the storage."""
    url = locations.url.sqlalchemy_url
    host = url.host or url.query.get("host")
    if host is None or str(host).startswith("/"):  # a file, or the socket of a server
        raise SearchError(
            f"--on slurm: the storage {locations.url} is only available on this machine, and SQLite on a shared "
            "folder is not safe: pass --storage postgresql://USER@HOST/DATABASE"
        )
    try:
        from submitit import SlurmExecutor
    except ImportError as error:
        raise SearchError("--on slurm needs submitit, which is not installed: `pip install submitit`") from error
    if SlurmExecutor.affinity() < 0:
        raise SearchError("--on slurm: srun was not found: run this command where you run sbatch, on the login node")


def submit(open_study: OpenStudy, allocation: Allocation, side_by_side: int | None) -> list["Job[None]"]:
    """Submit the jobs of an allocation. Raises SearchError if Slurm rejects them."""
    from submitit import SlurmExecutor
    from submitit.core.utils import FailedJobError, FailedSubmissionError

    # Slurm passes this environment to the job. A command line or script would show the password.
    os.environ.update(open_study.locations.environment)
    executor = SlurmExecutor(log_folder(open_study), max_num_timeout=MAX_REQUEUES, python=PYTHON)
    job = Launch((open_study.name, *allocation.options(side_by_side)))
    executor.update_parameters(job_name=f"nlb-{open_study.name}", **allocation.parameters)
    try:
        with executor.batch():
            return [executor.submit(job) for _ in range(allocation.nodes)]
    except (FailedJobError, FailedSubmissionError) as error:
        raise SearchError(f"Slurm rejected the jobs: {str(error).strip().splitlines()[-1]}") from error


def log_folder(open_study: OpenStudy) -> Path:
    """Folder of logs of a study's jobs and of submitit's files, beside the checkpoints so that all nodes have access.

    Only its owner can read it. Its name is not a valid name of a study.
    """
    folder = open_study.locations.artifacts / ".slurm" / open_study.name
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    return folder
