"""Expected counts and likelihoods against scipy's distributions and finite differences."""

import numpy as np
import pytest
from scipy import stats

from nlb_search.data.synthesis.spiking import BINARY, POISSON, Spiking

LOG_RATES = np.linspace(-8, 1, 10)


def probability(spiking: Spiking, count: int, log_rates: np.ndarray) -> np.ndarray:
    """The probability of a count under a truncated Poisson distribution."""
    variable = stats.poisson(np.exp(log_rates))
    return variable.sf(count - 1) if count == spiking.most else variable.pmf(count)


@pytest.mark.parametrize("spiking", [POISSON, BINARY])
def test_mean_is_that_of_the_truncated_poisson_count(spiking: Spiking) -> None:
    expected = sum(count * probability(spiking, count, LOG_RATES) for count in range(1, min(spiking.most, 60) + 1))

    np.testing.assert_allclose(spiking.mean(LOG_RATES), expected, rtol=1e-9)


@pytest.mark.parametrize("spiking", [POISSON, BINARY])
def test_mean_over_gaussian_log_rate(spiking: Spiking) -> None:
    sd = 0.8
    x = np.linspace(-8, 8, 4001)
    expected = np.average(spiking.mean(LOG_RATES[:, None] + sd * x), weights=stats.norm.pdf(x), axis=1)

    np.testing.assert_allclose(spiking.mean_over(LOG_RATES, np.full(10, sd**2)), expected, rtol=1e-4)


@pytest.mark.parametrize(("spiking", "count"), [(POISSON, 0), (POISSON, 3), (BINARY, 0), (BINARY, 1)])
def test_log_likelihood_matches_scipy(spiking: Spiking, count: int) -> None:
    counts = np.full(10, float(count))

    difference = spiking.log_likelihood(counts, LOG_RATES) - np.log(probability(spiking, count, LOG_RATES))

    np.testing.assert_allclose(difference, difference[0], atol=1e-9)


@pytest.mark.parametrize(("spiking", "count"), [(POISSON, 0), (POISSON, 3), (BINARY, 0), (BINARY, 1)])
def test_derivatives_match_finite_differences(spiking: Spiking, count: int) -> None:
    counts, step = np.full(10, float(count)), 1e-4
    above, here, below = (spiking.log_likelihood(counts, LOG_RATES + shift) for shift in (step, 0, -step))

    slope, curvature = spiking.slope_and_curvature(counts, LOG_RATES)

    np.testing.assert_allclose(slope, (above - below) / (2 * step), rtol=1e-5, atol=1e-8)
    np.testing.assert_allclose(curvature, (2 * here - above - below) / step**2, rtol=1e-3, atol=1e-6)
    assert np.all(curvature > 0)
