"""One thread sends heartbeats for exactly the trials that a worker holds."""

import logging
import threading
import time

import optuna
import pytest
from optuna.storages import RDBStorage

import nlb_search.storage.claims.heartbeat
from nlb_search.storage.claims.claims import Claims
from nlb_search.storage.database.opening import open_database
from nlb_search.storage.database.urls import StorageUrl
from nlb_search.storage.studies import make_study
from tests.helpers.processes.claimant import claims_of


@pytest.fixture
def claims(url: StorageUrl, monkeypatch: pytest.MonkeyPatch) -> Claims:
    monkeypatch.setattr(nlb_search.storage.claims.heartbeat, "HEARTBEAT_SECONDS", 0.05)
    make_study(url, open_database(url), "study", spec={}, starts=[])
    return claims_of(url.with_password, "study", budget=3)


@pytest.fixture
def beats(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The numbers of the trials whose heartbeats reached the database, in order."""
    seen: list[int] = []
    real = RDBStorage.record_heartbeat

    def recorded(database: RDBStorage, trial_id: int) -> None:
        real(database, trial_id)
        seen.append(database.get_trial_number_from_id(trial_id))

    monkeypatch.setattr(RDBStorage, "record_heartbeat", recorded)
    return seen


def _wait_for(beats: list[int], numbers: set[int]) -> None:
    until = time.monotonic() + 20
    while not numbers <= set(beats):
        assert time.monotonic() < until, f"no heartbeat of {numbers - set(beats)}"
        time.sleep(0.01)


def test_heartbeat_covers_exactly_the_held_trials(claims: Claims, beats: list[int]) -> None:
    first, second, _ = (claims.next(running_numbers=range(number)) for number in range(3))
    assert first is not None
    assert second is not None
    with claims.heartbeat() as heartbeat, second.kept_alive(heartbeat):
        with first.kept_alive(heartbeat):
            beats.clear()
            _wait_for(beats, {0, 1})
        # A heartbeat that was being sent when the trial was released may still arrive.
        time.sleep(0.1)
        beats.clear()
        _wait_for(beats, {1})
        beats.clear()
        _wait_for(beats, {1})
        assert set(beats) == {1}
    assert not [thread for thread in threading.enumerate() if thread.name == "heartbeat"]


def test_heartbeat_survives_unreachable_database(
    claims: Claims, beats: list[int], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    claim = claims.next()
    assert claim is not None
    missed = 0
    beat = nlb_search.storage.claims.heartbeat.beat

    def failing(study: optuna.Study, trial_id: int) -> None:
        nonlocal missed
        if missed < 5:
            missed += 1
            raise ConnectionError
        beat(study, trial_id)

    beats.clear()
    monkeypatch.setattr(nlb_search.storage.claims.heartbeat, "beat", failing)
    with (
        caplog.at_level(logging.INFO, logger="nlb_search"),
        claims.heartbeat() as heartbeat,
        claim.kept_alive(heartbeat),
    ):
        _wait_for(beats, {0})
    assert missed == 5
    assert caplog.messages == ["the heartbeat could not be recorded: ConnectionError"], "logged once, not at every beat"
