"""Spiking: how many spikes a bin has at a given log-rate, and what its count says of the log-rate.

Neurons fire as a Poisson process. ``Poisson`` counts what they fire in a bin; ``Binary`` only whether they fired, as
models that predict the chance of a spike need it. A binary count is Bernoulli with chance ``1 - exp(-rate)``, the
complementary log-log link of generalised linear models (McCullagh & Nelder 1989, section 4.3).

Log-rates are those of the Poisson process, in spikes per bin, and arrays of any one shape.
"""

from abc import ABC, abstractmethod

import numpy as np
import numpy.typing as npt

from nlb_search.data.synthesis.latents import FloatArray

N_NODES = 10
"""Nodes of the quadrature over a log-rate: the chance of a spike is off by less than 1e-4 of itself where the
log-rate's standard deviation is one."""


class Spiking(ABC):
    """A distribution of counts given log-rates, whose log-likelihood is concave in them."""

    most: int
    """The highest count."""

    def draw(self, log_rates: FloatArray, rng: np.random.Generator) -> npt.NDArray[np.uint8]:
        """Counts of bins: those of the Poisson process, cut at ``most``."""
        return np.minimum(rng.poisson(np.exp(log_rates)), self.most).astype(np.uint8)

    @abstractmethod
    def mean(self, log_rates: FloatArray) -> FloatArray:
        """Expected counts."""

    @abstractmethod
    def mean_over(self, log_rates: FloatArray, variance: FloatArray) -> FloatArray:
        """Expected counts where the log-rates are uncertain: Gaussian with this mean and variance."""

    @abstractmethod
    def log_likelihood(self, counts: FloatArray, log_rates: FloatArray) -> FloatArray:
        """Of each bin, less what does not depend on the log-rate."""

    @abstractmethod
    def slope_and_curvature(self, counts: FloatArray, log_rates: FloatArray) -> tuple[FloatArray, FloatArray]:
        """First derivative of ``log_likelihood`` by the log-rate, and the second with its sign turned."""


class Poisson(Spiking):
    """All spikes of a bin are counted, as far as a byte can."""

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
    """A bin has one spike or none."""

    most = 1

    def mean(self, log_rates: FloatArray) -> FloatArray:
        return np.asarray(-np.expm1(-np.exp(log_rates)))

    def mean_over(self, log_rates: FloatArray, variance: FloatArray) -> FloatArray:
        # The mean of this function of a Gaussian variable has no closed form: Gauss-Hermite quadrature.
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
