import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from nlb_tools import evaluation

from nlb_search.models.scoring.bits_per_spike import bits_per_spike, co_bps, fp_bps, gains_by_trial
from tests.helpers.recordings.population import counts_of


def _random(seed: int, shape: tuple[int, int, int], missing: float) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    rates = rng.gamma(0.5, 0.1, shape)
    spikes = rng.poisson(rng.gamma(0.5, 0.2, shape)).astype(float)
    spikes[rng.random(shape) < missing] = np.nan
    return rates, spikes


@settings(max_examples=40)
@given(st.integers(0, 10**6), st.sampled_from([0.0, 0.3]), st.sampled_from([(3, 40, 5), (20, 7, 2), (50, 120, 30)]))
def test_equals_nlb_tools(seed: int, missing: float, shape: tuple[int, int, int]) -> None:
    rates, spikes = _random(seed, shape, missing)
    ours = bits_per_spike(torch.tensor(rates, dtype=torch.float32), torch.tensor(spikes, dtype=torch.float32)).item()
    assert ours == pytest.approx(evaluation.bits_per_spike(rates.copy(), spikes), abs=1e-5)


def test_zero_rates_and_silent_neurons_match_nlb_tools() -> None:
    rates, spikes = _random(1, (10, 20, 4), missing=0.0)
    rates[:, ::3] = 0
    spikes[:, :, 2] = 0
    ours = bits_per_spike(torch.tensor(rates), torch.tensor(spikes)).item()
    assert ours == pytest.approx(evaluation.bits_per_spike(rates.copy(), spikes), abs=1e-5)


def test_mean_rate_scores_zero() -> None:
    _, spikes = _random(2, (30, 40, 6), missing=0.0)
    mean = np.broadcast_to(spikes.mean(axis=(0, 1)), spikes.shape)
    assert bits_per_spike(torch.tensor(mean.copy()), torch.tensor(spikes)).item() == pytest.approx(0, abs=1e-9)


def test_exactly_predicted_spike_scores_log_of_number_of_bins() -> None:
    spikes = torch.zeros(1, 8, 1)
    spikes[0, 3, 0] = 1
    rates = torch.where(spikes == 1, 1.0, 1e-9)
    assert bits_per_spike(rates, spikes).item() == pytest.approx(3, abs=1e-5)


def test_scores_use_their_own_neurons_and_bins() -> None:
    rates, spikes = _random(3, (12, 25, 7), missing=0.0)
    counts = counts_of(torch.tensor(spikes), n_window=20, n_heldin=4)
    assert co_bps(torch.tensor(rates), counts).item() == pytest.approx(
        evaluation.bits_per_spike(rates[:, :20, 4:].copy(), spikes[:, :20, 4:])
    )
    assert fp_bps(torch.tensor(rates), counts).item() == pytest.approx(
        evaluation.bits_per_spike(rates[:, 20:].copy(), spikes[:, 20:])
    )


@pytest.mark.parametrize("missing", [0.0, 0.3])
def test_trial_gains_sum_to_co_bps(missing: float) -> None:
    rates, spikes = _random(4, (30, 25, 7), missing)
    counts = counts_of(torch.tensor(spikes), n_window=20, n_heldin=4)
    gains = gains_by_trial(torch.tensor(rates), counts)
    bits = (gains.gain_B.sum() / gains.spikes_B.sum() / np.log(2)).item()
    assert gains.gain_B.shape == gains.spikes_B.shape == (30,)
    assert bits == pytest.approx(co_bps(torch.tensor(rates), counts).item(), rel=1e-12)
    assert bits == pytest.approx(evaluation.bits_per_spike(rates[:, :20, 4:].copy(), spikes[:, :20, 4:]))


def test_trial_gains_are_independent() -> None:
    """Of each trial alone: the log-likelihood under its rates, less that under the mean rates of all trials."""
    rates, spikes = _random(5, (6, 15, 3), missing=0.0)
    counts = counts_of(torch.tensor(spikes), n_window=10, n_heldin=1)
    gains = gains_by_trial(torch.tensor(rates), counts)
    rates, spikes = rates[:, :10, 1:], spikes[:, :10, 1:]
    null = spikes.mean(axis=(0, 1))
    for trial in range(6):
        expected = np.sum(spikes[trial] * np.log(rates[trial] / null) - rates[trial] + null)
        assert gains.gain_B[trial].item() == pytest.approx(expected)
        assert gains.spikes_B[trial].item() == spikes[trial].sum()
