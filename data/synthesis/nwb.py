"""Writing a session as an NWB file in the layout of the benchmark's recordings.

``nlb_tools.nwb_interface.NWBDataset`` can read the files. They have a trial table with the column ``split``, a unit
table with the column ``heldout``, and behaviour at 1 kHz in the processing module ``behavior``.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
from pynwb import NWBHDF5IO, H5DataIO, NWBFile, TimeSeries
from pynwb.core import VectorData, VectorIndex
from pynwb.file import Subject
from pynwb.misc import Units as NwbUnits

from nlb_search.data.datasets import Dataset
from nlb_search.data.synthesis.behavior import Behavior
from nlb_search.data.synthesis.latents import BoolArray, FloatArray, IntArray
from nlb_search.data.synthesis.neurons import Population
from nlb_search.data.synthesis.session import Session

SESSION_START = datetime(2021, 9, 1, tzinfo=UTC)
"""Start time of all synthetic sessions: constant, so that files made with the same seed do not differ."""


@dataclass(frozen=True)
class Units:
    """Contents of the unit table. All times are in seconds; ``observed`` is intervals x 2, the same for all units."""

    ids: IntArray
    heldout: BoolArray
    spike_times: list[FloatArray]
    observed: FloatArray


def write_full(path: Path, session: Session) -> None:
    """Write a complete session: held-in and held-out neurons, all spikes, all trial columns, and behaviour."""
    whole = np.array([[0.0, session.schedule.length_ms / 1000]])
    units = _units(session.population, session.spike_times, whole)
    _write(path, session.task.dataset, session.schedule.trials, units, session.behavior)


def write_test(path: Path, session: Session) -> None:
    """Write the part of a test session that models may see: the windows of trials, and the held-in spikes in them."""
    task = session.task
    trials = session.schedule.trials
    windows = trials[task.dataset.align_field].to_numpy()[:, None] + np.array(task.dataset.window_ms)
    heldin = session.population.heldin
    spike_times = [_inside(times, windows / 1000) for times in session.spike_times[: heldin.n_neurons]]
    columns = dict.fromkeys(["start_time", "stop_time", "split", task.dataset.align_field])
    units = _units(heldin, spike_times, windows / 1000)
    _write(path, task.dataset, trials[list(columns)], units, [])


def _units(population: Population, spike_times: list[FloatArray], observed: FloatArray) -> Units:
    """Units sorted by id. In this order, held-out neurons are interspersed among held-in neurons."""
    order = np.argsort(population.unit_ids)
    return Units(
        ids=population.unit_ids[order],
        heldout=order >= population.n_heldin,
        spike_times=[spike_times[neuron] for neuron in order],
        observed=observed,
    )


def _inside(times: FloatArray, windows: FloatArray) -> FloatArray:
    """The times that are inside one of the windows, which are windows x 2 (start, stop) and must not touch."""
    return np.asarray(times[np.searchsorted(windows.ravel(), times) % 2 == 1])


def _write(path: Path, dataset: Dataset, trials: pd.DataFrame, units: Units, behavior: Sequence[Behavior]) -> None:
    nwb = NWBFile(
        session_description=f"Synthetic recording in the layout of {dataset.name}",
        identifier=f"synthetic-{dataset.name}-{path.stem}",
        session_start_time=SESSION_START,
        subject=Subject(
            subject_id=dataset.file_stem.removeprefix("sub-").split("_")[0],
            species="Macaca mulatta",
            description="Simulated: no animal was recorded",
        ),
    )
    _add_trials(nwb, trials)
    _add_units(nwb, units)
    if behavior:
        _add_behavior(nwb, behavior)
    with NWBHDF5IO(str(path), "w") as io:
        io.write(nwb)


def _add_trials(nwb: NWBFile, trials: pd.DataFrame) -> None:
    table = trials.copy()
    for name in table.columns:
        if name.endswith("_time"):
            table[name] = (table[name] / 1000).round(6)
        if name not in ("start_time", "stop_time"):
            nwb.add_trial_column(name, name.replace("_", " "))
    for row in table.to_dict("records"):
        nwb.add_trial(**row)


def _add_units(nwb: NWBFile, units: Units) -> None:
    n_units = len(units.ids)
    # Columns are arrays, because pynwb checks every element of a list, such as those that add_unit makes.
    columns = [
        VectorData(
            name="heldout",
            description="whether models predict the neuron without its spikes",
            data=units.heldout,
        ),
        *_ragged("spike_times", "spike times of the unit, in seconds", units.spike_times),
        *_ragged("obs_intervals", "time in which the unit was recorded, in seconds", [units.observed] * n_units),
    ]
    nwb.units = NwbUnits(name="units", description="simulated neurons", id=units.ids.tolist(), columns=columns)


def _ragged(name: str, description: str, values: Sequence[FloatArray]) -> tuple[VectorData, VectorIndex]:
    """A column with an array of any length for each row."""
    column = VectorData(name=name, description=description, data=np.concatenate(values))
    ends = np.cumsum([len(of_row) for of_row in values])
    return column, VectorIndex(name=f"{name}_index", data=ends, target=column)


def _add_behavior(nwb: NWBFile, behavior: Sequence[Behavior]) -> None:
    module = nwb.create_processing_module("behavior", "Movement at 1 kHz")
    for series in behavior:
        timestamps = (np.arange(len(series.data)) / 1000).round(6)
        module.add(
            TimeSeries(
                name=series.name,
                data=H5DataIO(series.data, compression="gzip", shuffle=True),
                timestamps=H5DataIO(timestamps, compression="gzip", shuffle=True),
                unit=series.unit,
                description=series.description,
                # nlb_tools reads the column names from the comments.
                comments=f"columns=[{','.join(series.columns)}]",
            )
        )
