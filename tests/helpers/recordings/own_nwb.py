"""NWB files with the standard tables only, without the columns of the benchmark."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from pynwb import NWBHDF5IO, NWBFile, TimeSeries

from tests.helpers.recordings.unit_table import add_unit_table

Array = npt.NDArray[Any]


@dataclass
class OwnSession:
    """Neurons that share a latent, in trials of different lengths with pauses between; fields can be changed before
    ``write``. Times are seconds; ``columns`` are more columns of the trial table, ``units`` of the unit table.
    """

    seed: int = 0
    n_trials: int = 40
    n_neurons: int = 12
    shortest_s: float = 0.5
    rate_hz: float = 100.0
    start: Array = field(init=False)
    stop: Array = field(init=False)
    spikes: list[Array] = field(init=False)
    obs_intervals: list[Array] | None = None
    columns: dict[str, list[Any]] = field(default_factory=dict)
    units: dict[str, list[Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        rng = np.random.default_rng(self.seed)
        lengths = self.shortest_s + rng.integers(0, 300, self.n_trials) / 1000
        lengths[self.n_trials // 2] = self.shortest_s
        self.start = 0.2 + np.append(0, np.cumsum(lengths + 0.25)[:-1])
        self.stop = self.start + lengths
        self.end = float(self.stop[-1] + 0.5)
        clock = np.arange(0, self.end, 0.001)
        loading = rng.normal(0, 0.9, self.n_neurons)
        probability = np.exp(np.outer(self.latent(clock), loading)) * 0.03
        fired = rng.random(probability.shape) < probability
        self.spikes = [clock[fired[:, neuron]] + 0.0004 for neuron in range(self.n_neurons)]

    @staticmethod
    def latent(time_s: Array) -> Array:
        """The latent that the neurons share; the file contains it as ``paw``."""
        return np.asarray(np.sin(2 * np.pi * 1.7 * time_s) + np.sin(2 * np.pi * 0.6 * time_s + 1))

    def write(self, path: Path) -> Path:
        nwb = NWBFile("a session", path.stem, datetime(2024, 1, 1, tzinfo=UTC))
        for name in self.columns:
            nwb.add_trial_column(name, name)
        for row, (start, stop) in enumerate(zip(self.start, self.stop, strict=True)):
            nwb.add_trial(start_time=start, stop_time=stop, **{name: v[row] for name, v in self.columns.items()})
        add_unit_table(nwb, range(len(self.spikes)), self.spikes, self.obs_intervals)
        for name, values in self.units.items():
            nwb.add_unit_column(name, name, data=values)
        times = np.arange(0, self.end, 1 / self.rate_hz)
        paw = np.stack([self.latent(times), np.cos(times)], axis=1)
        nwb.add_acquisition(TimeSeries(name="paw", data=paw, unit="m", rate=self.rate_hz))
        with NWBHDF5IO(str(path), "w") as file:
            file.write(nwb, cache_spec=False)
        return path
