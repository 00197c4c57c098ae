"""Behaviour: movement driven by the latents.

The first two latents are the intended velocity. The velocity of the hand is delayed by the benchmark's lag and has
smooth noise added, so that it can be decoded linearly from rates as in a real recording.
"""

from dataclasses import dataclass

import numpy as np
from scipy.signal import lfilter

from nlb_search.data.synthesis.latents import BIN_MS, FloatArray, GaussianProcess

SPEED_MM_S = 100.0
"""Velocity for a latent of one."""

NOISE_TIMESCALE_MS = 120.0
LEAK_MS = 2000.0
"""Time constant of the leaky integral that gives the position, so that the hand stays in its workspace."""


@dataclass(frozen=True)
class Behavior:
    """A time series at 1 kHz from the start of the session. ``data`` is ms x columns."""

    name: str
    data: FloatArray
    columns: tuple[str, ...]
    unit: str
    description: str


def velocity(latents: FloatArray, lag_ms: int, noise: float, rng: np.random.Generator) -> FloatArray:
    """Velocity in mm/s, ms x 2, driven by the first two of ``latents`` (bins x latents) with a delay of ``lag_ms``.

    ``noise`` is the standard deviation of the noise, relative to latents with a standard deviation of one.
    """
    unexplained = GaussianProcess(2, NOISE_TIMESCALE_MS, noise).sample(len(latents), rng)
    return SPEED_MM_S * (at_1khz(latents[:, :2], lag_ms) + at_1khz(unexplained, 0))


def position(velocity_mm_s: FloatArray) -> FloatArray:
    """Position in mm, ms x 2: the leaky integral of a velocity at 1 kHz."""
    return np.asarray(lfilter([1 / 1000], [1, 1 / LEAK_MS - 1], velocity_mm_s, axis=0))


def at_1khz(values: FloatArray, lag_ms: int) -> FloatArray:
    """Interpolate bins x columns to ms x columns, delayed by ``lag_ms``. The first and last values are extended."""
    centres = (np.arange(len(values)) + 0.5) * BIN_MS
    times = np.arange(len(values) * BIN_MS) - lag_ms
    return np.stack([np.interp(times, centres, column) for column in values.T], axis=1)
