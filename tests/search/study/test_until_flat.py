"""Ending a search when more trials are expected to gain too little."""

import threading
from pathlib import Path

import pytest

from nlb_search.search.creation.study_creation import StudyRequest, create_or_open
from nlb_search.search.study.open_study import Locations, OpenStudy
from nlb_search.search.study.status import study_status
from nlb_search.search.trials.expected_gain import LEAST_TRIALS, expected_gain_of
from nlb_search.search.workers.shutdown import Stop
from nlb_search.search.workers.worker import work
from nlb_search.storage.database.retrying import DatabaseRetry
from nlb_search.storage.database.urls import parse_url

TRIALS = LEAST_TRIALS + 4


def _study(recordings: Path, folder: Path, until_flat: float) -> OpenStudy:
    locations = Locations(parse_url(f"sqlite:///{folder}/studies.db"), folder / "artifacts", recordings)
    request = StudyRequest(
        dataset="mc_rtt", architectures=("FF -> exp",), trials=TRIALS, until_flat=until_flat, epochs=1, sampler="random"
    )
    return create_or_open(locations, "study", request)


@pytest.mark.parametrize(("until_flat", "finished"), [(100.0, LEAST_TRIALS), (1e-12, TRIALS)])
def test_a_search_ends_when_the_expected_gain_is_below_the_threshold(
    recordings: Path, tmp_path: Path, until_flat: float, finished: int
) -> None:
    study = _study(recordings, tmp_path, until_flat)
    work(study, Stop())
    status = study_status(study)
    assert status.finished == finished
    assert status.is_finished
    assert status.expected_gain == expected_gain_of(study.study.get_trials())


def test_a_search_has_not_ended_while_a_trial_is_running(recordings: Path, tmp_path: Path) -> None:
    study = _study(recordings, tmp_path, until_flat=100.0)
    claims = study.claims(DatabaseRetry(threading.Event()))
    running = claims.next()
    assert running is not None
    for value in range(LEAST_TRIALS):
        trial = study.study.ask()
        trial.report(value, 1)
        study.study.tell(trial, value)
    assert claims.next([running.number]) is None
    assert not claims.is_finished()
    assert not study_status(study).is_finished
    running.complete(0.0)
    assert claims.is_finished()
    assert study_status(study).is_finished
