"""The figure of when trials end."""

from pathlib import Path

import optuna
import pytest
from optuna.trial import TrialState

from nlb_search.search.publishing.search_charts import pruning_depth
from nlb_search.search.study.open_study import Locations, OpenStudy
from nlb_search.storage.database.urls import parse_url
from tests.helpers.specifications import spec_of


@pytest.mark.parametrize(
    ("ends", "epochs", "shares", "note"),
    [
        ((2, 9, 10, 10), [0, 2, 9, 10, 10, 10], [100, 75, 50, 0, 0, 0], "31 of 40 epochs were trained: pruning and"),
        ((10, 10), [0, 10, 10, 10], [100, 0, 0, 0], "20 of 20 epochs were trained: no trial was pruned"),
    ],
)
def test_share_of_trials_that_train_longer_falls_from_all_to_none(
    tmp_path: Path, ends: tuple[int, ...], epochs: list[int], shares: list[float], note: str
) -> None:
    study = optuna.create_study(study_name="study")
    for end in ends:
        study.add_trial(optuna.create_trial(state=TrialState.PRUNED, intermediate_values={1: 0.0, end: 0.1}))
    locations = Locations(parse_url(f"sqlite:///{tmp_path}/studies.db"), tmp_path, tmp_path)
    chart = pruning_depth(OpenStudy(locations, study, spec_of(epochs=10), "identity"), study.trials)
    [[panel]] = chart.panels
    [series] = panel.series
    assert (series.x, series.y) == (epochs, shares)
    assert chart.note.startswith(note)
