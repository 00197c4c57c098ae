"""Known properties of the smoothing baseline."""

import numpy as np
import pytest
import torch
from scipy.stats import norm

from nlb_search.models.scoring.bits_per_spike import bits_per_spike
from nlb_search.models.scoring.smoothing_baseline import SMALLEST, smoothed_rates
from nlb_search.models.tensors import Counts
from tests.helpers.recordings.population import counts_of


def _counts(n_trials: int, seed: int) -> Counts:
    """Ten held-in neurons with a slow shared rate, and three held-out neurons whose rate is its square root."""
    rng = np.random.default_rng(seed)
    phase = rng.uniform(0, 2 * np.pi, (n_trials, 1, 1))
    swing = np.exp(np.cos(np.arange(70)[None, :, None] / 70 * 2 * np.pi + phase))
    rates = np.concatenate([np.repeat(0.5 * swing, 10, axis=2), np.repeat(0.2 * np.sqrt(swing), 3, axis=2)], axis=2)
    target = torch.from_numpy(rng.poisson(rates)).float()
    return counts_of(target, n_window=60, n_heldin=10)


def test_readout_recovers_power_law() -> None:
    train, val = _counts(60, 1), _counts(40, 2)
    rates = smoothed_rates(train, val.heldin_BWI, bin_ms=20)
    phase = np.random.default_rng(2).uniform(0, 2 * np.pi, (40, 1, 1))
    true = 0.2 * np.sqrt(np.exp(np.cos(np.arange(60)[None, :, None] / 70 * 2 * np.pi + phase)))
    assert rates.shape == (40, 60, 3)
    assert np.abs(rates.numpy() / true - 1).mean() < 0.2  # the mean rate is off by 0.36
    assert bits_per_spike(rates, val.target_BTN[:, :60, 10:]).item() > 0.05


def test_kernel_is_50_ms_gaussian() -> None:
    """Fitted on targets that are the smoothed counts themselves, many times over, the readout is their identity."""
    spike = torch.zeros(1, 121, 1)
    spike[0, 60, 0] = 1
    wanted = torch.from_numpy(norm.pdf(np.arange(-60, 61) * 5, scale=50) * 5).float().reshape(1, 121, 1) + SMALLEST
    train = counts_of(torch.cat([spike, (6000 * wanted).round()], dim=2), n_window=121, n_heldin=1)
    rates = smoothed_rates(train, spike, bin_ms=5) / 6000
    assert rates.max().item() == pytest.approx(wanted.max().item(), rel=0.05)
    half = (rates[0, :, 0] > rates.max() / 2).sum().item()
    assert half == pytest.approx(2 * 50 * np.sqrt(2 * np.log(2)) / 5, abs=2)


def test_unobserved_counts_are_not_fitted() -> None:
    train = _counts(60, 1)
    holey = train.target_BTN
    holey[::2, :, 10:] = torch.nan
    expected = smoothed_rates(train.of_trials(slice(1, None, 2)), train.heldin_BWI, bin_ms=20)
    fitted = smoothed_rates(counts_of(holey, n_window=60, n_heldin=10), train.heldin_BWI, bin_ms=20)
    torch.testing.assert_close(fitted, expected)
