from dataclasses import asdict, replace
from pathlib import Path

import h5py
import pytest

from nlb_search.data.ceiling import GROUP, Ceiling
from nlb_search.search.creation.study_creation import StudyRequest, create_or_open
from nlb_search.search.publishing.study_note_text import note_text
from nlb_search.search.study.open_study import Locations, OpenStudy
from nlb_search.search.study.status import BestTrial, StudyStatus, study_status
from nlb_search.search.study.study_ceiling import known_ceiling
from nlb_search.storage.database.urls import parse_url

CEILING = Ceiling(co_bps_val=0.4, co_bps_test=0.5, fp_bps_val=0.2, fp_bps_test=0.3)


@pytest.fixture
def study(recordings: Path, tmp_path: Path) -> OpenStudy:
    locations = Locations(parse_url(f"sqlite:///{tmp_path}/studies.db"), tmp_path / "artifacts", recordings)
    request = StudyRequest(dataset="mc_rtt", architectures=("FF -> exp",), trials=1)
    opened = create_or_open(locations, "maze", request)
    opened.study.ask()
    return opened


@pytest.fixture
def status(study: OpenStudy) -> StudyStatus:
    return study_status(study)


def test_note_shows_the_ceiling_where_it_is_known(status: StudyStatus, study: OpenStudy) -> None:
    (first,) = study.study.trials
    assert "ceiling" not in note_text(status, first)
    assert "| ceiling | co-bps 0.4000, scored by the true model of this synthetic recording |" in note_text(
        status, first, CEILING
    )
    best = replace(status, best=BestTrial(0, 0.3, {}, {}))
    assert "this synthetic recording; the best trial reaches 75% of it |" in note_text(best, first, CEILING)


def test_ceiling_is_known_of_synthetic_recordings_in_its_bin_width(study: OpenStudy, tmp_path: Path) -> None:
    assert known_ceiling(study) is None
    data = tmp_path / "data" / "mc_rtt"
    data.mkdir(parents=True)
    with h5py.File(data / "mc_rtt_truth.h5", "w") as file:
        file.create_group(GROUP).attrs.update(asdict(CEILING))
    synthetic = replace(study, locations=replace(study.locations, data=data.parent))
    assert known_ceiling(synthetic) == CEILING
    assert known_ceiling(replace(synthetic, spec=study.spec.model_copy(update={"bin_ms": 20}))) is None
