"""The ceiling: the predictions of an observer that knows the generating model.

The observer knows the tuning of all neurons, the covariance of the latents, the templates and their prior, and it
reads the held-in spikes in one trial's window. No model trained on the recording is expected to score better, so the
observer's score is an upper bound for a search.

The posterior over latents is a Laplace approximation around the mode, which is found by Newton's method. The
log-posterior of Poisson neurons with log-linear rates is concave (Macke et al. 2011,
https://papers.nips.cc/paper/4289), and so is that of binary neurons. With templates, the posterior is a mixture with
one component for each of the most likely templates.

Binary counts have their own likelihood, so their ceiling is as accurate as that of Poisson counts: where importance
sampling is feasible as a check, rates agree within a few hundredths. Only the selection of the most likely templates
treats them as Poisson counts, which costs less than 0.001 bits per spike in all layouts.

Letters in shapes: R trials, K templates, T window bins, S window and forward bins, N neurons, D latents, B rank of the
temporal basis, I pairs of a trial and a template.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import logsumexp

from nlb_search.data.synthesis.latents import FloatArray, IntArray
from nlb_search.data.synthesis.neurons import Population

N_COMPONENTS = 8
"""Number of mixture components. Four times as many add less than 0.002 bits per spike in all layouts."""

MAX_NEWTON_STEPS = 30
NEWTON_TOLERANCE = 1e-3
"""Newton's method stops when no step is predicted to increase a log-posterior by more than this, in nats."""

PAIRS_AT_A_TIME = 64


@dataclass(frozen=True)
class Templates:
    """The possible mean latents of a trial, K x S x D, all equally probable."""

    means: FloatArray


def predict_rates(spikes: FloatArray, population: Population, basis: FloatArray, templates: Templates) -> FloatArray:
    """Posterior mean of the spikes per bin of all neurons, in window and forward bins: R x S x N.

    ``spikes`` has the held-in counts in the window, R x T x held-in neurons. ``basis`` is the temporal basis of window
    and forward bins, S x B (``GaussianProcess.basis``). The first T of the S bins are the window.
    """
    likeliest = _likeliest_templates(spikes, population.heldin, templates)
    n_components = likeliest.shape[1]
    trials_at_a_time = max(1, PAIRS_AT_A_TIME // n_components)
    rates = np.empty((len(spikes), len(basis), population.n_neurons))
    for first in range(0, len(spikes), trials_at_a_time):
        chunk = slice(first, first + trials_at_a_time)
        chosen = likeliest[chunk]
        posterior = _Inference(
            np.repeat(spikes[chunk], n_components, axis=0),
            templates.means[chosen.ravel()],
            population.heldin,
            basis,
        ).posterior()
        evidence = posterior.log_evidence.reshape(chosen.shape)
        weights = np.exp(evidence - logsumexp(evidence, axis=1, keepdims=True))
        component_rates = posterior.mean_rates(population).reshape(*chosen.shape, len(basis), -1)
        rates[chunk] = np.einsum("rk,rksn->rsn", weights, component_rates)
    return rates


def _likeliest_templates(spikes: FloatArray, heldin: Population, templates: Templates) -> IntArray:
    """Indices of each trial's most likely templates, R x components.

    The likelihood is that of Poisson counts, with the latents at their mean. For binary counts, this is an
    approximation: the log-rate stands for the log of the expected count.
    """
    n_bins = spikes.shape[1]
    # One template at a time, because the rates of thousands of templates would take gigabytes.
    expected = np.array([heldin.rates(mean).sum() for mean in templates.means[:, :n_bins]])
    # Projecting counts on the loadings first makes the likelihoods of thousands of templates one matrix product.
    projected = (spikes @ heldin.loadings).reshape(len(spikes), -1)
    log_likelihood = projected @ templates.means[:, :n_bins].reshape(len(templates.means), -1).T - expected
    return np.argsort(-log_likelihood, axis=1, kind="stable")[:, :N_COMPONENTS]


@dataclass(frozen=True)
class _Posterior:
    """Gaussian posteriors of I pairs: mean of the latents, I x S x D, and covariance in each bin, I x S x D x D."""

    mean: FloatArray
    covariance: FloatArray
    log_evidence: FloatArray

    def mean_rates(self, population: Population) -> FloatArray:
        """Posterior mean of the expected counts, I x S x N."""
        loadings = population.loadings
        squares = (loadings[:, :, None] * loadings[:, None, :]).reshape(len(loadings), -1)
        variance = self.covariance.reshape(*self.covariance.shape[:2], -1) @ squares.T
        return population.spiking.mean_over(self.mean @ loadings.T + population.log_baseline, variance)


class _Inference:
    """Computes the posteriors of I pairs from their counts (I x T x held-in neurons) and templates (I x S x D)."""

    def __init__(self, spikes: FloatArray, means: FloatArray, heldin: Population, basis: FloatArray) -> None:
        self._spikes, self._means, self._loadings, self._basis = spikes, means, heldin.loadings, basis
        self._spiking = heldin.spiking
        n_bins = spikes.shape[1]
        self._window = basis[:n_bins]
        self._offset = means[:, :n_bins] @ heldin.loadings.T + heldin.log_baseline
        self._curvature = _Curvature(self._window, heldin.loadings)

    def posterior(self) -> _Posterior:
        weights, log_posterior = self._mode()
        _, curvature = self._spiking.slope_and_curvature(self._spikes, self._log_rates(weights))
        precision = self._curvature.of(curvature)
        return _Posterior(
            mean=self._means + self._basis @ weights,
            covariance=self._by_bin(_inverse(precision)),
            log_evidence=log_posterior - np.linalg.slogdet(precision)[1] / 2,
        )

    def _mode(self) -> tuple[FloatArray, FloatArray]:
        """The most likely weights of the basis, I x B x D, and their log-posterior, I.

        Uses Newton's method. Steps that decrease the log-posterior are halved.
        """
        weights = np.zeros((len(self._spikes), self._basis.shape[1], self._loadings.shape[1]))
        value = self._log_posterior(weights)
        for _ in range(MAX_NEWTON_STEPS):
            slope, curvature = self._spiking.slope_and_curvature(self._spikes, self._log_rates(weights))
            gradient = self._window.T @ (slope @ self._loadings) - weights
            step = _times(_inverse(self._curvature.of(curvature)), gradient)
            if (gradient * step).sum(axis=(1, 2)).max() < NEWTON_TOLERANCE:
                break
            tried_value = self._log_posterior(weights + step)
            while (overshot := ~(tried_value >= value - NEWTON_TOLERANCE)).any():
                step[overshot] /= 2
                tried_value = self._log_posterior(weights + step)
            weights, value = weights + step, tried_value
        return weights, value

    def _log_rates(self, weights: FloatArray) -> FloatArray:
        return np.asarray(self._offset + (self._window @ weights) @ self._loadings.T)

    def _log_posterior(self, weights: FloatArray) -> FloatArray:
        log_likelihood = self._spiking.log_likelihood(self._spikes, self._log_rates(weights)).sum(axis=(1, 2))
        return np.asarray(log_likelihood - (weights**2).sum(axis=(1, 2)) / 2)

    def _by_bin(self, covariance: FloatArray) -> FloatArray:
        """Covariance of the latents in each bin, I x S x D x D, from the covariance of the weights."""
        (n_bins, rank), n_latents = self._basis.shape, self._loadings.shape[1]
        by_weight = covariance.reshape(-1, rank, n_latents, rank, n_latents).transpose(0, 1, 3, 2, 4)
        outer = (self._basis[:, :, None] * self._basis[:, None, :]).reshape(n_bins, rank**2)
        by_bin = outer @ by_weight.reshape(-1, rank**2, n_latents**2)
        return np.asarray(by_bin.reshape(-1, n_bins, n_latents, n_latents))


class _Curvature:
    """The negative Hessian of the log-posterior: ``1 + sum_t b_t b_t' (x) C' diag(c_t) C``.

    Both factors are symmetric, so only their upper triangles are multiplied, and the rest is copied.
    """

    def __init__(self, window: FloatArray, loadings: FloatArray) -> None:
        (_, rank), (_, n_latents) = window.shape, loadings.shape
        times, latents = np.triu_indices(rank), np.triu_indices(n_latents)
        self._times = np.ascontiguousarray((window[:, times[0]] * window[:, times[1]]).T)
        self._loadings = loadings[:, latents[0]] * loadings[:, latents[1]]
        index = _symmetric_lookup(rank)[:, None, :, None] * len(latents[0]) + _symmetric_lookup(n_latents)[:, None, :]
        self._index = index.reshape(rank * n_latents, rank * n_latents)

    def of(self, curvature: FloatArray) -> FloatArray:
        """The Hessian, I x (B D) x (B D), for the curvature c of the log-likelihood, I x T x held-in neurons."""
        halves = self._times @ (curvature @ self._loadings)
        return np.asarray(halves.reshape(len(curvature), -1)[:, self._index] + np.eye(len(self._index)))


def _inverse(matrices: FloatArray) -> FloatArray:
    return np.asarray(np.linalg.inv(matrices), dtype=np.float64)


def _times(matrices: FloatArray, weights: FloatArray) -> FloatArray:
    """Product of each pair's matrix, (B D) x (B D), and its weights: I x B x D."""
    return np.asarray((matrices @ weights.reshape(len(weights), -1, 1)).reshape(weights.shape))


def _symmetric_lookup(size: int) -> IntArray:
    """Index of each entry of a symmetric matrix in its upper triangle, size x size."""
    rows, columns = np.triu_indices(size)
    lookup = np.zeros((size, size), dtype=np.int64)
    lookup[rows, columns] = lookup[columns, rows] = np.arange(len(rows))
    return lookup
