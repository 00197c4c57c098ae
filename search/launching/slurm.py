"""A search on a Slurm cluster: jobs of one node each, which Slurm starts again until the budget is met."""

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
from nlb_search.search.study.opening import Locations, OpenStudy

if TYPE_CHECKING:
    from submitit import Job
    from submitit.helpers import DelayedSubmission

WARNING_SECONDS = int(2 * SHUTDOWN_SECONDS)
"""How long before the end of its time a job is told to release its trials."""

MIN_MINUTES = 5
"""The shortest time that leaves some to train in: a job needs a minute to begin, and ends a minute early."""

MAX_REQUEUES = 10_000
"""How often a job may reach the end of its time and come again: as often as the budget needs."""

PYTHON = f"{shlex.quote(sys.executable)} -P"
"""How a job runs Python. With -P no module is imported from the working directory, as with the installed command."""


@dataclass(frozen=True, kw_only=True)
class Allocation:
    """What a launch asks Slurm for: ``nodes`` jobs of one node each, for ``minutes`` at a time.

    ``partition`` is None for the cluster's own choice; ``workers`` is the number of worker processes on each node.
    """

    minutes: int
    partition: str | None
    nodes: int
    gpus_per_node: int
    workers: int

    @property
    def parameters(self) -> dict[str, Any]:
        """The same as submitit's Slurm executor takes it."""
        asked = {
            "time": self.minutes,
            "cpus_per_task": self.workers,
            # Slurm gives the step of a job one core unless its own srun asks for them again.
            "srun_args": [f"--cpus-per-task={self.workers}"],
            "signal_delay_s": WARNING_SECONDS,
            "stderr_to_stdout": True,
            # A job that was preempted, or lost its node, comes again.
            "additional_parameters": {"requeue": True},
        }
        if self.partition is not None:
            asked["partition"] = self.partition
        if self.gpus_per_node:
            asked["gpus_per_node"] = self.gpus_per_node
        return asked

    def options(self, side_by_side: int | None) -> tuple[str, ...]:
        """What the launch of each job is told."""
        together = () if side_by_side is None else ("--side-by-side", str(side_by_side))
        gpus = "all" if self.gpus_per_node else "none"
        return ("--workers", str(self.workers), "--gpus", gpus, *together)


@dataclass(frozen=True)
class Launch:
    """What a job runs on its node: ``nlb-search launch`` with these arguments, on a study that is there.

    submitit keeps it as a file beside the job's log, so nothing secret is in it: where the studies are, and the
    password, come from the job's environment.
    """

    arguments: tuple[str, ...]

    def __call__(self) -> None:
        command = subprocess.Popen([sys.executable, *MODULE, "launch", *self.arguments])
        try:
            code = command.wait()
        finally:
            # Slurm signals every process of a job, so the command ends by itself; wait for it when submitit ends first.
            command.wait()
        if code:
            raise SystemExit(code)

    def checkpoint(self) -> "DelayedSubmission":
        """What runs when the job comes again: the same, for the trials keep their own checkpoints."""
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(self)


def minutes_of(time: str) -> int:
    """A time as Slurm writes it (M, M:S, H:M:S, D-H, D-H:M or D-H:M:S) in minutes.

    Raises UsageError for another, and for one in which a job would come again and again without getting further.
    """
    found = re.fullmatch(r"(?:(\d+)-)?(\d+)(?::(\d+))?(?::(\d+))?", time)
    if found is None:
        raise UsageError(f"--time {time}: write it as Slurm does, as minutes, H:MM:SS or D-HH:MM:SS")
    days, *rest = (None if part is None else int(part) for part in found.groups())
    parts = [part for part in rest if part is not None]
    first = 60.0 if days is not None or len(parts) == 3 else 1.0
    minutes = math.ceil(
        (days or 0) * 24 * 60 + sum(part * first / 60.0**position for position, part in enumerate(parts))
    )
    if minutes < MIN_MINUTES:
        raise UsageError(f"--time {time}: a job needs {MIN_MINUTES} minutes to get anywhere")
    return minutes


def check_cluster(locations: Locations) -> None:
    """Raises SearchError where no job can be submitted, or where the nodes could not reach the storage."""
    url = locations.url.sqlalchemy_url
    host = url.host or url.query.get("host")
    if host is None or str(host).startswith("/"):  # a file, or a server's socket
        raise SearchError(
            f"--on slurm: the storage {locations.url} is on this machine alone, and SQLite on a shared folder is not "
            "safe: give --storage postgresql://USER@HOST/DATABASE"
        )
    try:
        from submitit import SlurmExecutor
    except ImportError as error:
        raise SearchError("--on slurm needs submitit, which is not installed: `pip install submitit`") from error
    if SlurmExecutor.affinity() < 0:
        raise SearchError("--on slurm: there is no srun here: run it where you would run sbatch, on the login node")


def submit(open_study: OpenStudy, allocation: Allocation, side_by_side: int | None) -> list["Job[None]"]:
    """Submit the jobs of an allocation. Raises SearchError if Slurm refuses them."""
    from submitit import SlurmExecutor
    from submitit.core.utils import FailedJobError, FailedSubmissionError

    # Slurm hands the environment of whoever submits to the job: a command line or a script would show the password.
    os.environ.update(open_study.locations.environment)
    executor = SlurmExecutor(log_folder(open_study), max_num_timeout=MAX_REQUEUES, python=PYTHON)
    job = Launch((open_study.name, *allocation.options(side_by_side)))
    executor.update_parameters(job_name=f"nlb-{open_study.name}", **allocation.parameters)
    try:
        with executor.batch():
            return [executor.submit(job) for _ in range(allocation.nodes)]
    except (FailedJobError, FailedSubmissionError) as error:
        raise SearchError(f"Slurm refused the jobs: {str(error).strip().splitlines()[-1]}") from error


def log_folder(open_study: OpenStudy) -> Path:
    """Where the logs of a study's jobs and submitit's own files lie: beside its checkpoints, so every node reaches it.

    Only its owner may look into it. Its name is one that no study has.
    """
    folder = open_study.locations.artifacts / ".slurm" / open_study.name
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    return folder
