"""Latents: smooth random trajectories that drive a population of neurons.

Each latent is a stationary Gaussian process with a squared-exponential covariance, the prior of GPFA (Yu et al. 2009,
https://doi.org/10.1152/jn.90941.2008). Latents are constant within bins of 5 ms, so each bin has a single true rate.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.signal import fftconvolve

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

BIN_MS = 5
"""Bin width of the simulation."""

KEPT_VARIANCE = 0.9999
"""Fraction of a window's prior variance that its low-rank basis explains."""


@dataclass(frozen=True)
class GaussianProcess:
    """Independent latents with covariance ``sd**2 * exp(-(t - s)**2 / (2 * timescale_ms**2))``."""

    n_latents: int
    timescale_ms: float
    sd: float

    def sample(self, n_bins: int, rng: np.random.Generator) -> FloatArray:
        """Draw a sample, bins x latents.

        White noise convolved with a Gaussian of width ``timescale / sqrt(2)`` has exactly this covariance, and needs
        no covariance matrix of the size of the session.
        """
        reach = int(np.ceil(4 * self.timescale_ms / BIN_MS))
        taps = np.exp(-((np.arange(-reach, reach + 1) * BIN_MS / self.timescale_ms) ** 2))
        taps /= np.linalg.norm(taps)
        noise = rng.standard_normal((n_bins + 2 * reach, self.n_latents))
        return self.sd * np.asarray(fftconvolve(noise, taps[:, None], mode="valid", axes=0))

    def basis(self, n_bins: int) -> FloatArray:
        """Temporal basis of a window, bins x rank: ``basis @ w`` with w ~ N(0, 1) is one latent of the process.

        The columns are the leading eigenvectors of the covariance, scaled by the square roots of their eigenvalues, as
        many as are needed for ``KEPT_VARIANCE``.
        """
        distance = np.subtract.outer(np.arange(n_bins), np.arange(n_bins)) * BIN_MS / self.timescale_ms
        values, vectors = np.linalg.eigh(self.sd**2 * np.exp(-(distance**2) / 2))
        values, vectors = values[::-1], vectors[:, ::-1]
        rank = int(np.searchsorted(np.cumsum(values) / values.sum(), KEPT_VARIANCE)) + 1
        return np.asarray(vectors[:, :rank] * np.sqrt(values[:rank]))
