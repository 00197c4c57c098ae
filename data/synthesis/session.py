"""Simulating one session: its schedule, latents, spikes and behaviour."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from nlb_search.data.synthesis.behavior import Behavior
from nlb_search.data.synthesis.latents import FloatArray
from nlb_search.data.synthesis.neurons import Population, draw_counts, draw_spike_times
from nlb_search.data.synthesis.tasks.task import Schedule, Task


@dataclass(frozen=True)
class Session:
    """A simulated session. All times are relative to its start.

    ``latents`` is bins x latents, ``counts`` is bins x neurons, and ``spike_times`` has one array per neuron, in
    seconds.
    """

    task: Task
    population: Population
    schedule: Schedule
    latents: FloatArray
    counts: npt.NDArray[np.uint8]
    spike_times: list[FloatArray]
    behavior: list[Behavior]

    def trials(self, split: str) -> pd.DataFrame:
        """The rows of the trial table that are in a split."""
        return self.schedule.trials[self.schedule.trials["split"] == split]

    def rates(self, split: str) -> FloatArray:
        """True rates in spikes per bin, trials x bins (window, then forward) x neurons."""
        return self.population.rates(self.latents[self.task.window_bins(self.trials(split))])

    def spikes(self, split: str) -> FloatArray:
        """Spike counts, trials x bins (window, then forward) x neurons."""
        return self.counts[self.task.window_bins(self.trials(split))].astype(np.float64)


def simulate(task: Task, population: Population, splits: Sequence[str], rng: np.random.Generator) -> Session:
    """Simulate a session with one trial for each of ``splits``, in this order."""
    schedule = task.schedule(splits, rng)
    latents = task.mean_latents(schedule) + task.recipe.process.sample(schedule.n_bins, rng)
    counts = draw_counts(population, latents, rng)
    return Session(
        task=task,
        population=population,
        schedule=schedule,
        latents=latents,
        counts=counts,
        spike_times=draw_spike_times(counts, rng),
        behavior=task.behavior(schedule, latents, rng),
    )
