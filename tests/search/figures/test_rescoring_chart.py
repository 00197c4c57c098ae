from pathlib import Path

import pytest
from optuna.trial import create_trial

from nlb_search.search.charts import matplotlib_drawing, plotly_drawing
from nlb_search.search.creation.study_creation import StudyRequest, create_or_open
from nlb_search.search.figures.rescoring_chart import rescoring_chart
from nlb_search.search.rescoring.rescoring_attributes import RESCORING_KEY
from nlb_search.search.sampling.spaces.trial_parameters import sample
from nlb_search.search.study.open_study import Locations, OpenStudy
from nlb_search.storage.database.urls import parse_url


@pytest.fixture
def study(recordings: Path, tmp_path: Path) -> OpenStudy:
    """A study with two complete trials."""
    locations = Locations(parse_url(f"sqlite:///{tmp_path}/studies.db"), tmp_path / "artifacts", recordings)
    request = StudyRequest(dataset="mc_rtt", architectures=("FF -> exp",), trials=2)
    study = create_or_open(locations, "maze", request)
    trial = study.study.ask()
    sample(trial, study.spec.space, study.spec.architectures)
    settings = {"params": trial.params, "distributions": trial.distributions}
    for value in (0.3, 0.2):
        ends = {"co_bps_low": value - 0.05, "co_bps_high": value + 0.05}
        study.study.add_trial(create_trial(value=value, user_attrs=ends, **settings))
    return study


def _rescored(study: OpenStudy, scores: dict[int, list[float]]) -> None:
    study.study.set_user_attr(RESCORING_KEY, {"splits": 2, "trials": [1, 2]})
    for number, of_trial in scores.items():
        for fold, score in enumerate(of_trial):
            study.study.set_user_attr(f"{RESCORING_KEY}-2-{number}-{fold}", {"co_bps": score})


def test_finalists_have_their_val_score_with_its_interval_beside_the_folds(study: OpenStudy) -> None:
    assert rescoring_chart(study) is None, "not rescored"
    _rescored(study, {1: [0.1, 0.2], 2: [0.15, 0.25]})
    chart = rescoring_chart(study)
    assert chart is not None
    ((panel,),) = chart.panels
    assert panel.x_categories == ("2", "1"), "the best over the folds first"
    val, folds, means = panel.series
    assert list(val.y) == [0.2, 0.3]
    assert list(val.low) == pytest.approx([0.15, 0.25])
    assert list(folds.y) == [0.15, 0.25, 0.1, 0.2]
    assert list(means.y) == pytest.approx([0.2, 0.15])
    assert plotly_drawing.draw(chart).layout.xaxis.ticktext == ("2", "1")
    assert "each fold" in matplotlib_drawing.draw(chart, "svg").decode()


def test_finalists_without_a_score_on_every_fold_are_left_out(study: OpenStudy) -> None:
    _rescored(study, {1: [0.1, 0.2], 2: [0.15]})
    chart = rescoring_chart(study)
    assert chart is not None
    assert chart.panels[0][0].x_categories == ("1",)
