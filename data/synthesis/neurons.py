"""Neurons: firing rates and spikes given the latents.

The log-rate of a neuron is a weighted sum of the latents plus a baseline; ``spiking`` defines the distribution of its
counts.
"""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from nlb_search.data.synthesis.latents import BIN_MS, FloatArray, IntArray
from nlb_search.data.synthesis.spiking import POISSON, Spiking

MEAN_RATE_HZ = (0.5, 50.0)
"""Mean rates, in spikes per second, are clipped to this range."""

PEAK_RATE_HZ = 200.0
PEAK_SD = 3.5
"""A log-rate this many standard deviations above its mean gives at most the peak rate."""

RATE_SPREAD = 0.6
GAIN_SPREAD = 0.35
"""Standard deviations of the log mean rate and of the log gain across neurons, as in motor cortex."""


@dataclass(frozen=True)
class Population:
    """The neurons of a recording: held-in, then held-out, each sorted by ``unit_ids``.

    ``loadings`` is neurons x latents. ``log_baseline`` is the log of the spikes per bin if all latents are zero.
    ``unit_ids`` are the ids in the NWB file, where held-out neurons are interspersed among held-in neurons.
    """

    loadings: FloatArray
    log_baseline: FloatArray
    unit_ids: IntArray
    n_heldin: int
    spiking: Spiking = POISSON

    @property
    def n_neurons(self) -> int:
        return len(self.unit_ids)

    @property
    def heldin(self) -> "Population":
        """The held-in neurons only."""
        part = slice(0, self.n_heldin)
        return replace(
            self, loadings=self.loadings[part], log_baseline=self.log_baseline[part], unit_ids=self.unit_ids[part]
        )

    def rates(self, latents: FloatArray) -> FloatArray:
        """Expected counts in spikes per bin, ... x neurons, for latents of ... x latents."""
        return self.spiking.mean(latents @ self.loadings.T + self.log_baseline)


def draw_population(
    n_heldin: int,
    n_heldout: int,
    n_latents: int,
    gain: float,
    median_hz: float,
    rng: np.random.Generator,
    spiking: Spiking = POISSON,
) -> Population:
    """Draw neurons with log-normal mean rates around ``median_hz`` and random tuning.

    ``gain`` is the median standard deviation of a neuron's log-rate if all latents have unit variance. It controls the
    information per spike: the true rates of a neuron with gain g give about g**2 / (2 ln 2) bits per spike more than
    its mean rate. Neurons with high mean rates get a lower gain, so that their rates do not exceed the peak rate.
    """
    n_neurons = n_heldin + n_heldout
    directions = rng.standard_normal((n_neurons, n_latents))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    mean_hz = np.clip(median_hz * np.exp(RATE_SPREAD * rng.standard_normal(n_neurons)), *MEAN_RATE_HZ)
    # The gain at which the peak, exp(PEAK_SD g - g**2 / 2) times the mean rate, is the peak rate.
    highest_gains = PEAK_SD - np.sqrt(PEAK_SD**2 - 2 * np.log(PEAK_RATE_HZ / mean_hz))
    gains = np.minimum(gain * np.exp(GAIN_SPREAD * rng.standard_normal(n_neurons)), highest_gains)
    shuffled = rng.permutation(n_neurons)
    return Population(
        loadings=gains[:, None] * directions,
        # The mean of exp(g x), x ~ N(0, 1), is exp(g**2 / 2).
        log_baseline=np.log(mean_hz * BIN_MS / 1000) - gains**2 / 2,
        unit_ids=np.concatenate([np.sort(shuffled[:n_heldin]), np.sort(shuffled[n_heldin:])]),
        n_heldin=n_heldin,
        spiking=spiking,
    )


def draw_counts(population: Population, latents: FloatArray, rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    """Spike counts, bins x neurons."""
    counts = np.empty((len(latents), population.n_neurons), dtype=np.uint8)
    for neuron in range(population.n_neurons):
        # One neuron at a time, because the rates of all neurons in a whole session would take gigabytes.
        log_rates = latents @ population.loadings[neuron] + population.log_baseline[neuron]
        counts[:, neuron] = population.spiking.draw(log_rates, rng)
    return counts


def draw_spike_times(counts: npt.NDArray[np.uint8], rng: np.random.Generator) -> list[FloatArray]:
    """Sorted spike times in seconds, one array per neuron, uniform within the bins of ``counts`` (bins x neurons).

    Spikes are at least a hundredth of a ms from the edges of milliseconds, so that rounding cannot move them to another
    bin.
    """
    times = []
    for neuron in range(counts.shape[1]):
        bins = np.repeat(np.arange(len(counts)), counts[:, neuron])
        ms = bins * BIN_MS + rng.integers(0, BIN_MS, len(bins)) + rng.uniform(0.01, 0.99, len(bins))
        times.append(np.sort(ms) / 1000)
    return times
