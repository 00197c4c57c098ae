"""Synthetic recordings whose latent dynamics are harder than those of ``nlb-search synthesize``.

Spikes are Poisson; log-rates are a random linear readout of latent states that are chaotic, driven by inputs at random
times, switch between linear systems, or rotate after a cue while a slow drift changes the rates from trial to trial.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from nlb_search.models.tensors import Counts, Sizes

Latents = npt.NDArray[np.float64]
"""Latent states, trials x bins x dimensions."""

TRAIN_SHARE, VAL_SHARE = 0.6, 0.2
LOG_RATE_SCALE = 0.8
"""Standard deviation of a neuron's log-rate."""


def lorenz(n_trials: int, n_bins: int, rng: np.random.Generator) -> Latents:
    """The Lorenz system (Lorenz 1963) from random initial states, 20 ms of simulated time per bin."""
    x, y, z = rng.normal(size=(3, n_trials)) * 5 + np.array([[0.0], [0.0], [25.0]])
    steps_per_bin, warm_up = 5, 100
    dt = 0.02 / steps_per_bin
    states = []
    for step in range((n_bins + warm_up) * steps_per_bin):
        x, y, z = x + dt * 10 * (y - x), y + dt * (x * (28 - z) - y), z + dt * (x * y - 8 / 3 * z)
        if step >= warm_up * steps_per_bin and step % steps_per_bin == 0:
            states.append(np.stack([x, y, z], axis=1))
    return np.stack(states, axis=1)


def chaotic_network(n_trials: int, n_bins: int, rng: np.random.Generator) -> Latents:
    """A random rate network in its chaotic regime (Sompolinsky, Crisanti & Sommers 1988)."""
    return _rate_network(n_trials, n_bins, rng, pulse_probability=0.0)


def driven_network(n_trials: int, n_bins: int, rng: np.random.Generator) -> Latents:
    """The chaotic network with strong input pulses at random times, which cannot be predicted from earlier spikes."""
    return _rate_network(n_trials, n_bins, rng, pulse_probability=0.03)


def _rate_network(n_trials: int, n_bins: int, rng: np.random.Generator, pulse_probability: float) -> Latents:
    n_units, n_outputs, gain, dt, warm_up = 60, 8, 1.6, 0.12, 80
    coupling = gain * rng.normal(size=(n_units, n_units)) / np.sqrt(n_units)
    pulses = 3 * rng.normal(size=(3, n_units))
    x = rng.normal(size=(n_trials, n_units))
    states = []
    for step in range(n_bins + warm_up):
        x = x + dt * (np.tanh(x) @ coupling.T - x)
        hit = rng.random(n_trials) < pulse_probability
        x[hit] += pulses[rng.integers(len(pulses), size=int(hit.sum()))]
        if step >= warm_up:
            states.append(np.tanh(x))
    return np.stack(states, axis=1) @ rng.normal(size=(n_units, n_outputs))


def switching(n_trials: int, n_bins: int, rng: np.random.Generator) -> Latents:
    """A switching linear dynamical system: three damped rotations of four dimensions, switched at random times."""
    angles = np.array([[0.05, 0.25], [0.3, -0.1], [-0.15, 0.02]])
    rotations = np.zeros((3, 4, 4))
    for plane in range(2):
        cos, sin = np.cos(angles[:, plane]), np.sin(angles[:, plane])
        first, second = 2 * plane, 2 * plane + 1
        rotations[:, first, first] = rotations[:, second, second] = 0.985 * cos
        rotations[:, first, second], rotations[:, second, first] = -0.985 * sin, 0.985 * sin
    offsets = 0.08 * rng.normal(size=(3, 4))
    state, regime = rng.normal(size=(n_trials, 4)), rng.integers(3, size=n_trials)
    states = []
    for _ in range(n_bins):
        regime = np.where(rng.random(n_trials) < 0.03, rng.integers(3, size=n_trials), regime)
        noise = 0.12 * rng.normal(size=state.shape)
        state = np.einsum("bij,bj->bi", rotations[regime], state) + offsets[regime] + noise
        states.append(state)
    return np.stack(states, axis=1)


def rotating_with_drift(n_trials: int, n_bins: int, rng: np.random.Generator) -> Latents:
    """Rotations that start at a random cue, from one of 12 initial states (Churchland et al. 2012), and a drift."""
    frequencies = np.array([0.06, 0.1, 0.17])
    means = rng.normal(size=(12, 3)) + 1j * rng.normal(size=(12, 3))
    initial = means[rng.integers(12, size=n_trials)]
    initial = initial + 0.2 * (rng.normal(size=initial.shape) + 1j * rng.normal(size=initial.shape))
    cue = rng.integers(5, n_bins // 3, size=n_trials)
    since_cue = np.clip(np.arange(n_bins) - cue[:, None], 0, None)[:, :, None]
    rotating = initial[:, None] * np.exp((1j * frequencies - 0.02) * since_cue) * (since_cue > 0)
    drift = np.broadcast_to(rng.uniform(-1, 1, size=(n_trials, 1, 1)), (n_trials, n_bins, 1))
    return np.concatenate([rotating.real, rotating.imag, drift], axis=2)


@dataclass(frozen=True)
class HardRecording:
    """The parameters of a recording: dynamics and sizes. ``mean_rate`` is in spikes per bin and neuron."""

    name: str
    dynamics: Callable[[int, int, np.random.Generator], Latents]
    n_trials: int
    sizes: Sizes
    mean_rate: float

    def __str__(self) -> str:
        return f"{self.name}, {self.sizes.n_neurons} neurons, {self.n_trials} trials"

    def splits(self, seed: int) -> tuple[Counts, Counts, Counts]:
        """Counts of train, val and test, generated from the random seed."""
        rng = np.random.default_rng(seed)
        latents = self.dynamics(self.n_trials, self.sizes.n_bins, rng)
        latents = (latents - latents.mean(axis=(0, 1))) / latents.std(axis=(0, 1))
        n_dimensions = latents.shape[2]
        readout = LOG_RATE_SCALE / np.sqrt(n_dimensions) * rng.normal(size=(n_dimensions, self.sizes.n_neurons))
        rates = self.mean_rate * rng.gamma(2, 0.5, self.sizes.n_neurons)
        # The mean of exp(x) for Gaussian x is exp(variance / 2): subtract it to keep the mean rate.
        expected = rates * np.exp(latents @ readout - LOG_RATE_SCALE**2 / 2)
        counts = torch.from_numpy(np.minimum(rng.poisson(expected), 254).astype(np.uint8))
        n_train, n_val = round(TRAIN_SHARE * self.n_trials), round(VAL_SHARE * self.n_trials)
        parts = counts.split([n_train, n_val, self.n_trials - n_train - n_val])
        train, val, test = (Counts(part, self.sizes) for part in parts)
        return train, val, test


HARD_RECORDINGS = (
    HardRecording("lorenz", lorenz, 700, Sizes(n_heldin=40, n_heldout=12, n_window=70, n_forward=10), 0.2),
    HardRecording(
        "chaotic_network", chaotic_network, 400, Sizes(n_heldin=60, n_heldout=20, n_window=100, n_forward=0), 0.15
    ),
    HardRecording(
        "driven_network", driven_network, 1200, Sizes(n_heldin=24, n_heldout=8, n_window=50, n_forward=10), 0.25
    ),
    HardRecording("switching", switching, 300, Sizes(n_heldin=40, n_heldout=14, n_window=100, n_forward=20), 0.2),
    HardRecording(
        "rotating_with_drift",
        rotating_with_drift,
        120,
        Sizes(n_heldin=70, n_heldout=20, n_window=40, n_forward=0),
        0.75,
    ),
    HardRecording("few_neurons", lorenz, 308, Sizes(n_heldin=12, n_heldout=3, n_window=80, n_forward=0), 0.2),
    HardRecording("few_bins", chaotic_network, 94, Sizes(n_heldin=80, n_heldout=27, n_window=7, n_forward=0), 0.6),
)
