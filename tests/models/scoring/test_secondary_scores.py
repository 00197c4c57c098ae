"""Scores of behavior and trial averages, compared with nlb_tools.

Both are computed in float64, but nlb_tools solves each ridge regression separately and we use shared sums. At the
weakest penalty the condition number of these systems is about 1e8, so scores agree to about 1e-7.
"""

import numpy as np
import pytest
import torch
from nlb_tools import evaluation

from nlb_search.models.scoring.interval_correlation import IntervalTargets, tp_correlation
from nlb_search.models.scoring.psth import PsthTargets, psth_r2
from nlb_search.models.scoring.velocity_decoding import VelocityTargets, velocity_errors, velocity_r2_of

AGREES = 1e-7

LAYOUTS = {"mc_maze": (24, 140, 182, 1), "mc_rtt": (30, 120, 130, 1), "area2_bump": (40, 120, 65, 2)}
"""Trials, bins, neurons and decoders."""


def _rates(rng: np.random.Generator, n_trials: int, n_bins: int, n_neurons: int) -> tuple[np.ndarray, np.ndarray]:
    """Rates of a few shared slow latents, as a network of few hidden units gives them, and the latents."""
    latents = np.cumsum(rng.normal(size=(n_trials, n_bins, 6)), axis=1) / np.sqrt(n_bins)
    weights = np.random.default_rng(0).normal(size=(6, n_neurons))
    return np.exp(latents @ weights * 0.5 - 3).astype(np.float32), latents


def _both_ways(train: tuple[np.ndarray, ...], val: tuple[np.ndarray, ...]) -> tuple[float, float]:
    """Our score and that of nlb_tools, from rates, velocity and decode mask of each split.

    Ours gets train's rates in parts that straddle the folds.
    """
    known = VelocityTargets(*map(torch.tensor, val[1:]))
    ours = velocity_r2_of(
        velocity_errors(
            torch.tensor(train[0]).split(7),
            VelocityTargets(*map(torch.tensor, train[1:])),
            torch.tensor(val[0]),
            known,
        ),
        known,
    )
    theirs = evaluation.velocity_decoding(*(part.astype(float) if part.ndim == 3 else part for part in train + val))
    return ours, float(theirs)


def _split(rng: np.random.Generator, n_trials: int, layout: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    _, n_bins, n_neurons, n_decoders = LAYOUTS[layout]
    rates, latents = _rates(rng, n_trials, n_bins, n_neurons)
    velocity = 100 * latents[..., :2] + 20 + 50 * rng.normal(size=(n_trials, n_bins, 2))
    of_decoder = np.arange(n_trials)[:, None] % n_decoders == np.arange(n_decoders)
    return rates, velocity, of_decoder


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("lost", [False, True])
def test_velocity_r2_matches_nlb_tools(layout: str, lost: bool) -> None:
    rng = np.random.default_rng(1)
    n_trials = LAYOUTS[layout][0]
    train, val = _split(rng, n_trials, layout), _split(rng, n_trials // 3, layout)
    if lost:
        train[1][::5, 30:70] = np.nan
        val[1][1, :9] = np.nan
    ours, theirs = _both_ways(train, val)
    assert ours == pytest.approx(theirs, abs=AGREES)
    assert 0.2 < ours < 0.9, "a score that says something"


@pytest.mark.parametrize("scale", [1e-4, 1e-3, 1e-2])
def test_ridge_penalty_is_chosen_by_cross_validation(scale: float) -> None:
    """With rates of other sizes, other penalties are best; the folds have unequal sizes."""
    rng = np.random.default_rng(2)
    rates, latents = _rates(rng, 31, 7, 40)
    noise = rng.normal(size=(31, 7, 2))
    parts = (rates * np.float32(scale / rates.std()), latents[..., :2] + noise, np.ones((31, 1), dtype=bool))
    ours, theirs = _both_ways(tuple(part[:20] for part in parts), tuple(part[20:] for part in parts))
    assert ours == pytest.approx(theirs, abs=AGREES)


def test_constant_velocity_matches_nlb_tools() -> None:
    rng = np.random.default_rng(3)
    train, val = _split(rng, 20, "mc_rtt"), _split(rng, 8, "mc_rtt")
    val[1][..., 1] = 0.0
    ours, theirs = _both_ways(train, val)
    assert ours == pytest.approx(theirs, abs=AGREES)


@pytest.mark.parametrize("n_rates", [19, 21])
def test_rates_and_velocity_of_different_trials_are_rejected(n_rates: int) -> None:
    rates, velocity, of_decoder = (torch.tensor(part) for part in _split(np.random.default_rng(6), 21, "mc_rtt"))
    known = VelocityTargets(velocity[:20], of_decoder[:20])
    with pytest.raises(ValueError, match="the number of trials in the rates is not 20"):
        velocity_errors(rates[:n_rates].split(8), known, rates[:20], known)


@pytest.mark.parametrize(("n_bins", "n_neurons", "late"), [(140, 162, 0), (120, 65, 0), (300, 54, 30)])
def test_psth_r2_matches_nlb_tools(n_bins: int, n_neurons: int, late: int) -> None:
    """With windows up to ``late`` bins late or early, bins that a condition lacks, and a condition without a trial."""
    rng = np.random.default_rng(4)
    rates, _ = _rates(rng, 20, n_bins, n_neurons)
    trials = [np.arange(20)[k::4] for k in range(4)]
    trials.insert(2, np.array([], dtype=int))
    jitter = rng.integers(-late, late + 1, size=20)
    psth = rates[:5].astype(float) + rng.normal(size=(5, n_bins, n_neurons)) * 0.01
    psth[:, :late] = np.nan
    psth[:, n_bins - late :] = np.nan
    psth[0, : n_bins // 2] = np.nan
    ours = psth_r2(
        torch.tensor(rates), PsthTargets(torch.tensor(psth), tuple(map(torch.tensor, trials)), torch.tensor(jitter))
    )
    assert ours == pytest.approx(evaluation.eval_psth(psth, rates.astype(float), trials, jitter=jitter), abs=AGREES)


def test_tp_corr_matches_nlb_tools() -> None:
    rng = np.random.default_rng(5)
    rates, _ = _rates(rng, 60, 300, 54)
    spikes = np.zeros((60, 300, 14))
    for trial in range(60):
        spikes[trial, : rng.integers(20, 60)] = np.nan
        spikes[trial, rng.integers(200, 300) :] = np.nan
    conditions = rng.integers(0, 2, size=(60, 3)).astype(float)
    behavior = np.column_stack([conditions, rng.normal(size=60), rng.uniform(500, 1500, size=60)])
    behavior[::9] = np.nan
    timing = IntervalTargets(
        inside_BW=torch.tensor(~np.isnan(spikes[..., 0])),
        condition_BC=torch.tensor(behavior[:, :3]),
        interval_B=torch.tensor(behavior[:, -1]),
    )
    expected = evaluation.speed_tp_correlation(spikes, rates.astype(float), behavior)
    assert tp_correlation(torch.tensor(rates), timing) == pytest.approx(expected, abs=AGREES)
