"""Samples and basis of the latent process against its covariance."""

import numpy as np

from nlb_search.data.synthesis.latents import BIN_MS, GaussianProcess

PROCESS = GaussianProcess(n_latents=200, timescale_ms=50.0, sd=0.7)


def covariance(n_bins: int) -> np.ndarray:
    lags = np.subtract.outer(np.arange(n_bins), np.arange(n_bins)) * BIN_MS
    return 0.7**2 * np.exp(-(lags**2) / (2 * 50.0**2))


def test_samples_have_the_process_covariance() -> None:
    samples = PROCESS.sample(20_000, np.random.default_rng(0))

    for lag in (0, 5, 10, 30):
        measured = np.mean(samples[: len(samples) - lag] * samples[lag:])
        np.testing.assert_allclose(measured, covariance(31)[0, lag], atol=0.005)


def test_basis_spans_the_window_with_few_vectors() -> None:
    basis = PROCESS.basis(120)

    assert basis.shape[1] < 30
    np.testing.assert_allclose(basis @ basis.T, covariance(120), atol=0.01)


def test_latents_are_independent() -> None:
    samples = PROCESS.sample(20_000, np.random.default_rng(1))

    correlation = np.corrcoef(samples, rowvar=False) - np.eye(PROCESS.n_latents)
    assert np.abs(correlation).max() < 0.25
