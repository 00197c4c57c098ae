"""The timing layout: rates depend on the interval, and windows match nlb_tools."""

import numpy as np
import pytest
from nlb_tools.evaluation import speed_tp_correlation
from nlb_tools.make_tensors import PARAMS

from nlb_search.data.datasets import dataset_named
from nlb_search.data.synthesis.neurons import draw_population
from nlb_search.data.synthesis.session import Session, simulate
from nlb_search.data.synthesis.tasks.timing import Timing

N_WINDOW = 300


@pytest.fixture(scope="module")
def session() -> Session:
    task = Timing(dataset_named("dmfc_rsg"), np.random.default_rng(0))
    recipe = task.recipe
    population = draw_population(30, 10, recipe.n_latents, recipe.gain, recipe.median_hz, np.random.default_rng(1))
    return simulate(task, population, ["test"] * 200 + ["val"] * 100, np.random.default_rng(2))


def test_rates_change_faster_for_shorter_intervals(session: Session) -> None:
    trials = session.trials("test")
    heldout = session.spikes("test")[:, :N_WINDOW, session.population.n_heldin :]
    heldout[~session.task.scored(trials, session.task.window_times(trials)[:, :N_WINDOW])] = np.nan
    behavior = trials[["is_eye", "theta", "is_short", "ts", "tp"]].to_numpy(dtype=float)
    behavior[trials["is_outlier"] == 1] = np.nan

    assert speed_tp_correlation(heldout, session.rates("test")[:, :N_WINDOW], behavior) < -0.4


def test_window_jitter_matches_nlb_tools(session: Session) -> None:
    trials = session.trials("val")

    shifts = session.task.shifts_ms(trials)

    lowest, highest = PARAMS["dmfc_rsg"]["jitter"](trials).T
    assert np.all((shifts >= lowest) & (shifts <= highest))
    assert np.all(shifts % 5 == 0)
    assert len(np.unique(shifts)) > 20
    assert not session.task.shifts_ms(session.trials("test")).any()


def test_every_split_has_enough_trials_per_context_for_tp_corr() -> None:
    task = Timing(dataset_named("dmfc_rsg"), np.random.default_rng(0))

    trials = task.schedule(["val"] * task.min_trials + ["train"] * 75, np.random.default_rng(3)).trials

    scored = trials[(trials["split"] == "val") & (trials["is_outlier"] == 0)]
    counts = scored.groupby(["is_eye", "theta", "is_short"]).size()
    assert len(counts) == 8
    assert counts.min() >= 2
