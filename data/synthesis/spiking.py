"""Spiking: the distribution of a bin's spike count given its log-rate.

Neurons fire as a Poisson process. ``Poisson`` counts the spikes in a bin. ``Binary`` is one if there are any, for
models that predict the probability of a spike. A binary count is Bernoulli with probability ``1 - exp(-rate)``, which
is the complementary log-log link of generalised linear models (McCullagh & Nelder 1989, section 4.3).

Log-rates are those of the Poisson process, in spikes per bin. Arrays can have any shape, the same for all arguments.
"""

from abc import ABC, abstractmethod

import numpy as np
import numpy.typing as npt

from nlb_search.data.synthesis.latents import FloatArray

N_NODES = 10
"""Number of nodes of the quadrature over a log-rate.

The relative error of the probability of a spike is below 1e-4 if the log-rate has a standard deviation of one.
"""


class Spiking(ABC):
    """A distribution of counts given log-rates, with a log-likelihood that is concave in the log-rates."""

    most: int
    """The highest count."""

    def draw(self, log_rates: FloatArray, rng: np.random.Generator) -> npt.NDArray[np.uint8]:
        """Draw counts from the Poisson process, clipped to ``most``."""
        return np.minimum(rng.poisson(np.exp(log_rates)), self.most).astype(np.uint8)

    @abstractmethod
    def mean(self, log_rates: FloatArray) -> FloatArray:
        """Expected counts."""

    @abstractmethod
    def mean_over(self, log_rates: FloatArray, variance: FloatArray) -> FloatArray:
        """Expected counts if the log-rates are Gaussian with means ``log_rates`` and this variance."""

    @abstractmethod
    def log_likelihood(self, counts: FloatArray, log_rates: FloatArray) -> FloatArray:
        """Log-likelihood of each bin, without terms that do not depend on the log-rate."""

    @abstractmethod
    def slope_and_curvature(self, counts: FloatArray, log_rates: FloatArray) -> tuple[FloatArray, FloatArray]:
        """First derivative and negative second derivative of ``log_likelihood`` with respect to the log-rate."""


class Poisson(Spiking):
    """Counts all spikes in a bin, up to 255."""

    most = 255

    def mean(self, log_rates: FloatArray) -> FloatArray:
        return np.asarray(np.exp(log_rates))

    def mean_over(self, log_rates: FloatArray, variance: FloatArray) -> FloatArray:
        return np.asarray(np.exp(log_rates + variance / 2))

    def log_likelihood(self, counts: FloatArray, log_rates: FloatArray) -> FloatArray:
        return np.asarray(counts * log_rates - np.exp(log_rates))

    def slope_and_curvature(self, counts: FloatArray, log_rates: FloatArray) -> tuple[FloatArray, FloatArray]:
        rates = np.exp(log_rates)
        return counts - rates, rates


class Binary(Spiking):
    """Counts at most one spike per bin."""

    most = 1

    def mean(self, log_rates: FloatArray) -> FloatArray:
        return np.asarray(-np.expm1(-np.exp(log_rates)))

    def mean_over(self, log_rates: FloatArray, variance: FloatArray) -> FloatArray:
        # The mean over a Gaussian variable has no closed form, so use Gauss-Hermite quadrature.
        nodes, weights = np.polynomial.hermite_e.hermegauss(N_NODES)
        weights = weights / weights.sum()
        sd = np.sqrt(variance)
        return np.asarray(sum(w * self.mean(log_rates + x * sd) for x, w in zip(nodes, weights, strict=True)))

    def log_likelihood(self, counts: FloatArray, log_rates: FloatArray) -> FloatArray:
        return np.where(counts > 0, np.log(self.mean(log_rates)), -np.exp(log_rates))

    def slope_and_curvature(self, counts: FloatArray, log_rates: FloatArray) -> tuple[FloatArray, FloatArray]:
        rates = np.exp(log_rates)
        slope = rates / np.expm1(rates)
        fired = counts > 0
        return np.where(fired, slope, -rates), np.where(fired, slope * (slope + rates - 1), rates)


POISSON, BINARY = Poisson(), Binary()
