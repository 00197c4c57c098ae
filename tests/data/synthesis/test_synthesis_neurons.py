"""Neurons: rates, counts and spike times."""

import numpy as np
import pytest

from nlb_search.data.synthesis.latents import BIN_MS, GaussianProcess
from nlb_search.data.synthesis.neurons import MEAN_RATE_HZ, PEAK_RATE_HZ, draw_counts, draw_population, draw_spike_times


def population(n_heldin: int = 60, n_heldout: int = 20, gain: float = 0.8):
    return draw_population(n_heldin, n_heldout, 4, gain, 8.0, np.random.default_rng(0))


def test_mean_rates_are_realistic() -> None:
    neurons = population(600, 200)
    latents = np.random.default_rng(1).standard_normal((20_000, 4))

    rates_hz = neurons.rates(latents) * 1000 / BIN_MS

    assert 6 < np.median(rates_hz.mean(axis=0)) < 10
    assert rates_hz.mean(axis=0).max() < MEAN_RATE_HZ[1] * 1.2
    assert np.mean(rates_hz > PEAK_RATE_HZ) < 0.001


def test_held_out_neurons_are_interleaved_with_held_in_neurons() -> None:
    neurons = population()
    heldin, heldout = neurons.unit_ids[:60], neurons.unit_ids[60:]

    assert sorted(neurons.unit_ids) == list(range(80))
    assert np.all(np.diff(heldin) > 0)
    assert np.all(np.diff(heldout) > 0)
    assert heldout.min() < heldin.max() / 2


def test_counts_are_poisson() -> None:
    neurons = population()
    latents = GaussianProcess(4, 100.0, 1.0).sample(20_000, np.random.default_rng(2))
    rates = neurons.rates(latents)

    counts = draw_counts(neurons, latents, np.random.default_rng(3))

    # The standard deviation of a neuron's sum over bins; the variance of Poisson counts equals their mean.
    z = (counts.sum(axis=0) - rates.sum(axis=0)) / np.sqrt(rates.sum(axis=0))
    assert np.abs(z).max() < 4.5
    assert np.var(counts - rates) == pytest.approx(rates.mean(), rel=0.03)


def test_spike_times_lie_within_their_bins() -> None:
    counts = np.random.default_rng(4).poisson(0.3, size=(500, 3)).astype(np.uint8)

    for neuron, times in enumerate(draw_spike_times(counts, np.random.default_rng(5))):
        binned = np.bincount((times * 1000 // BIN_MS).astype(int), minlength=500)
        np.testing.assert_array_equal(binned, counts[:, neuron])
        assert np.all(np.diff(times) >= 0)
