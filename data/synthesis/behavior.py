"""Behaviour: movement that follows the latents.

The first two latents are the intended velocity, and the hand follows them with the lag at which the benchmark reads
it, plus smooth noise, so that a linear decoder of the rates finds velocity as it does in a real recording.
"""

from dataclasses import dataclass

import numpy as np
from scipy.signal import lfilter

from nlb_search.data.synthesis.latents import BIN_MS, FloatArray, GaussianProcess

SPEED_MM_S = 100.0
"""Velocity that a latent of one stands for."""

NOISE_TIMESCALE_MS = 120.0
LEAK_MS = 2000.0
"""Positions are integrals that forget over this time, so that the hand stays in its workspace."""


@dataclass(frozen=True)
class Behavior:
    """A time series at 1 kHz from the session's start, ms x columns."""

    name: str
    data: FloatArray
    columns: tuple[str, ...]
    unit: str
    description: str


def velocity(latents: FloatArray, lag_ms: int, noise: float, rng: np.random.Generator) -> FloatArray:
    """Velocity in mm/s, ms x 2, of latents that are bins x latents.

    It is ``lag_ms`` later than the latents. ``noise`` is the standard deviation of what the latents do not
    explain, where theirs is one.
    """
    unexplained = GaussianProcess(2, NOISE_TIMESCALE_MS, noise).sample(len(latents), rng)
    return SPEED_MM_S * (at_1khz(latents[:, :2], lag_ms) + at_1khz(unexplained, 0))


def position(velocity_mm_s: FloatArray) -> FloatArray:
    """Position in mm, ms x 2: the leaky integral of a velocity at 1 kHz."""
    return np.asarray(lfilter([1 / 1000], [1, 1 / LEAK_MS - 1], velocity_mm_s, axis=0))


def at_1khz(values: FloatArray, lag_ms: int) -> FloatArray:
    """Values of bins x columns drawn out to ms x columns, ``lag_ms`` later; the ends are held."""
    centres = (np.arange(len(values)) + 0.5) * BIN_MS
    times = np.arange(len(values) * BIN_MS) - lag_ms
    return np.stack([np.interp(times, centres, column) for column in values.T], axis=1)
