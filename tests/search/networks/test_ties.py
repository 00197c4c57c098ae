"""Ties between trials with known differences in their gains per val trial."""

import dataclasses
from pathlib import Path

import numpy as np
import optuna
import pytest
import torch

from nlb_search.models.scoring.bits_per_spike import Gains
from nlb_search.models.training.training import Evaluation
from nlb_search.search.charts.plotly_drawing import draw
from nlb_search.search.figures.study_charts import history
from nlb_search.search.networks.saved_networks import save_networks
from nlb_search.search.networks.ties import find_ties
from nlb_search.search.study.open_study import Locations, OpenStudy
from nlb_search.search.study.specification import SearchSpec
from nlb_search.storage.database.urls import parse_url

SPEC = SearchSpec.model_construct(content_hash="of the recording")


class Search:
    """A study in memory, its checkpoints in a folder, and a recording of 60 val trials with 20 spikes each."""

    def __init__(self, folder: Path) -> None:
        locations = Locations(parse_url("sqlite:///none.db"), folder, folder)
        self.study = OpenStudy(locations, optuna.create_study(direction="maximize"), SPEC, "study")
        self.rng = np.random.default_rng(0)
        self.gain_B = self.rng.normal(6, 3, size=60)

    def add(self, gain_B: np.ndarray) -> int:
        """Add a complete trial with these gains; returns its number."""
        gains = Gains(torch.tensor(gain_B), torch.full((60,), 20.0, dtype=torch.float64))
        value = gains.bits_per_spike.item()
        number = len(self.study.study.trials)
        attrs = {"vel_r2": 0.25, "co_bps_low": value - 0.02, "co_bps_high": value + 0.03}
        self.study.study.add_trial(optuna.trial.create_trial(value=value, user_attrs=attrs))
        evaluation = dataclasses.asdict(Evaluation(epoch=1, loss=0.0, co_bps=value, fp_bps=0.0))
        facts = {"content_hash": SPEC.content_hash, "progress": evaluation}
        weights, rates = [{"offset_N": torch.zeros(3)}], torch.ones(60, 1, 1)
        save_networks(self.study.checkpoints.best(number), weights, gains, rates, facts)
        return number

    def add_equal(self) -> int:
        """Add a trial that differs from the best only by chance: its gains over trials average out."""
        noise = self.rng.normal(size=60)
        return self.add(self.gain_B + noise - noise.mean() - 0.01)


@pytest.fixture
def search(tmp_path: Path) -> Search:
    return Search(tmp_path)


def test_ties_exclude_significantly_worse_trials(search: Search) -> None:
    worse = search.add(search.gain_B - 0.2)
    best = search.add(search.gain_B)
    equal = [search.add_equal() for _ in range(3)]
    ties = find_ties(search.study)
    assert set(ties.numbers or ()) == set(equal)
    assert worse not in ties.numbers
    assert best not in ties.numbers
    assert ties.as_text().startswith("not significantly different from trial ")


def test_many_ties_are_sorted_and_counted(search: Search) -> None:
    search.add(search.gain_B)
    for worse in (3, 1, 2, 4, 5, 6, 7):
        search.add(search.gain_B + np.resize([1.0, -1.0], 60) - worse / 1000)
    ties = find_ties(search.study)
    assert ties.numbers == [2, 3, 1, 4, 5, 6, 7]
    assert ties.as_text().count("trial ") == 5
    assert ties.as_text().endswith(" and 2 others")


def test_significantly_best_trial_has_no_ties(search: Search) -> None:
    search.add(search.gain_B)
    search.add(search.gain_B - 0.2)
    ties = find_ties(search.study)
    assert ties.numbers == []
    assert ties.as_text() == "none: better than every other complete trial"


def test_ties_without_checkpoints_are_unknown(search: Search) -> None:
    number = search.add(search.gain_B)
    search.study.checkpoints.best(number).unlink()
    ties = find_ties(search.study)
    assert ties.numbers is None
    assert "pass the workers' checkpoint folder with --artifacts" in ties.as_text()


def test_trial_without_checkpoint_is_reported(search: Search) -> None:
    search.add(search.gain_B)
    equal, lost = search.add_equal(), search.add_equal()
    search.study.checkpoints.best(lost).unlink()
    ties = find_ties(search.study)
    assert ties.numbers == [equal]
    assert f"1 of 3 complete trials could not be compared: the checkpoint of trial {lost} is not at" in ties.as_text()


def test_history_figure_shows_intervals_metrics_and_ties(search: Search) -> None:
    best, equal, worse = search.add(search.gain_B), search.add_equal(), search.add(search.gain_B - 0.2)
    traces = {trace.name: trace for trace in draw(history(search.study)).data}
    assert traces["best"].x == (best,)
    assert traces["tied with the best"].x == (equal,)
    assert traces["complete"].x == (worse,)
    assert traces["complete"].error_y.array == pytest.approx((0.03,))
    assert traces["complete"].error_y.arrayminus == pytest.approx((0.02,))
    assert "vel R2 0.2500" in traces["complete"].hovertext[0]
