"""What is stored is what optuna-dashboard reads."""

import subprocess
import sys

import optuna
import pytest
from optuna_dashboard import get_note, save_note
from optuna_dashboard._custom_plot_data import get_plotly_graph_objects
from optuna_dashboard._note import get_note_from_system_attrs

from nlb_search.search.publishing.dashboard_texts import PART, DashboardTexts

LONG = "é" * PART + "end"


@pytest.fixture
def study() -> optuna.Study:
    return optuna.create_study()


@pytest.mark.parametrize("text", ["# Maze", LONG, LONG * 3, ""])
def test_note_replaces_a_shorter_or_longer_one(study: optuna.Study, text: str) -> None:
    save_note(study, LONG)
    DashboardTexts(study).save_note(text)
    assert get_note(study) == text
    DashboardTexts(study).save_note(LONG)
    assert get_note(study) == LONG


def test_note_has_a_new_version_so_that_an_open_page_does_not_overwrite_it(study: optuna.Study) -> None:
    DashboardTexts(study).save_note("first")
    DashboardTexts(study).save_note("second")
    attributes = study._storage.get_study_system_attrs(study._study_id)
    assert get_note_from_system_attrs(attributes, None)["version"] == 2


def test_note_of_a_trial(study: optuna.Study) -> None:
    trial = study.ask()
    assert not DashboardTexts(study).has_note(trial._trial_id)
    DashboardTexts(study).save_note("of the trial", trial._trial_id)
    assert get_note(trial) == "of the trial"
    assert get_note(study) == ""
    assert DashboardTexts(study).has_note(trial._trial_id)


def test_figure(study: optuna.Study) -> None:
    for figure in (LONG * 2, "{}"):
        DashboardTexts(study).save_figure("time", figure)
        attributes = study._storage.get_study_system_attrs(study._study_id)
        assert get_plotly_graph_objects(attributes) == {"time": figure}


def test_publishing_does_not_import_the_dashboard() -> None:
    code = (
        "import sys, nlb_search.search.publishing.publisher, nlb_search.search.charts.plotly_drawing; "
        "print(*{'optuna_dashboard', 'pandas', 'sklearn'} & sys.modules.keys())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
