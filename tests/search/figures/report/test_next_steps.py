"""What the report recommends follows from the trials of the study."""

from dataclasses import replace
from pathlib import Path

import optuna
import pytest
from optuna.trial import FrozenTrial

from nlb_search.search.figures.report.next_steps import next_steps
from nlb_search.search.figures.report.published_scores import published_scores
from nlb_search.search.networks.ties import Ties
from nlb_search.search.sampling.spaces.range_types import FloatRange
from nlb_search.search.study.open_study import Locations, OpenStudy
from nlb_search.search.study.status import study_status
from nlb_search.storage.database.opening import open_database
from nlb_search.storage.database.urls import parse_url
from tests.helpers.specifications import spec_of

LR = FloatRange(low=0.001, high=0.1, log=True)


def _study(folder: Path, lrs: list[float], best_epoch: int = 1) -> OpenStudy:
    """A study whose trials score better the higher their learning rate is."""
    url = parse_url(f"sqlite:///{folder}/studies.db")
    study = optuna.create_study(storage=open_database(url), study_name="study", direction="maximize")
    distribution = optuna.distributions.FloatDistribution(LR.low, LR.high, log=True)
    for lr in lrs:
        trial = optuna.create_trial(
            value=lr, params={"lr": lr}, distributions={"lr": distribution}, user_attrs={"best_epoch": best_epoch}
        )
        study.add_trial(trial)
    spec = spec_of(trials=len(lrs), epochs=20).model_copy(update={"space": {"lr": LR}})
    return OpenStudy(Locations(url, folder / "artifacts", folder), study, spec, "identity")


def _steps(study: OpenStudy, ties: tuple[FrozenTrial, ...] = ()) -> str:
    return "\n".join(next_steps(study, study_status(study), Ties(ties)))


@pytest.mark.parametrize(("highest", "advised"), [(0.099, True), (0.05, False)])
def test_range_is_to_be_widened_if_all_best_trials_are_at_its_edge(
    tmp_path: Path, highest: float, advised: bool
) -> None:
    steps = _steps(_study(tmp_path, [0.002, 0.004, 0.01, highest * 0.98, highest * 0.99, highest]))
    assert ("`lr` at the upper end of its range" in steps) == advised


@pytest.mark.parametrize(("best_epoch", "advised"), [(20, True), (10, False)])
def test_longer_trials_are_recommended_if_the_best_improved_until_its_end(
    tmp_path: Path, best_epoch: int, advised: bool
) -> None:
    assert ("`--epochs 60`" in _steps(_study(tmp_path, [0.01, 0.02], best_epoch))) == advised


def test_few_trials_ties_and_an_unfinished_budget_are_named(tmp_path: Path) -> None:
    study = _study(tmp_path, [0.01, 0.02])
    steps = _steps(study, tuple(study.study.get_trials()[:1]))
    assert "2 finished trials say little" in steps
    assert "1 trial is statistically tied with the best" in steps
    assert "nlb-search rescore study" in steps
    assert "nlb-search export-best study --phase test" in steps
    assert "The budget is not met" not in steps
    more = replace(study_status(study), budget=9)
    assert "The budget is not met" in "\n".join(next_steps(study, more, Ties(())))


def test_published_scores_are_only_of_their_own_dataset_and_bins() -> None:
    assert {one.split for one in published_scores("mc_rtt", 5)} == {"val", "test"}
    assert {one.split for one in published_scores("mc_maze", 5)} == {"test"}
    assert published_scores("mc_rtt", 20) == published_scores("mc_maze_small", 5) == ()
