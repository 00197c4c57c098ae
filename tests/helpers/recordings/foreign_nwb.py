"""Third-party recordings, written with pynwb only.

They have the tables that the benchmark's layouts require, and differ from the benchmark's files in everything that must
not matter: unsorted unit ids, spike times with rounding errors, unused columns and time series, a behavior with a
sampling rate instead of timestamps, a silent unit, and trials without a split that contain unobserved time.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from pynwb import NWBHDF5IO, NWBFile, TimeSeries

from tests.helpers.recordings.unit_table import add_unit_table

SPLITS = ("train", "val", "train", "train", "none", "train", "val", "train")
"""The splits of consecutive trials, repeated; all conditions of a layout have train and val trials."""

Trials = list[dict[str, Any]]


def write_recording(folder: Path, dataset: str, trials: int = 32, neurons: int = 8, seed: int = 0) -> Path:
    """Write a training file with ``trials`` trials and a test file with a quarter as many; returns ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    ids = rng.permutation(10 * neurons)[:neurons]
    heldout = np.arange(neurons) % 4 == 0
    for name, splits in (
        ("my-train-set.nwb", [SPLITS[i % len(SPLITS)] for i in range(trials)]),
        ("my-test-set.nwb", ["test"] * (trials // 4)),
    ):
        table = LAYOUTS[dataset](splits, rng)
        end_s = table[-1]["stop_time"] + 1.0
        nwb = NWBFile("third-party recording", name, datetime(2020, 2, 2, tzinfo=UTC))
        _add_trials(nwb, table)
        _add_units(nwb, table, end_s, ids, heldout, name, rng)
        _add_behavior(nwb, dataset, end_s, rng)
        with NWBHDF5IO(folder / name, "w") as io:
            io.write(nwb, cache_spec=False)
    return folder


def _maze(splits: list[str], rng: np.random.Generator) -> Trials:
    table = []
    for i, split in enumerate(splits):
        start = 0.1 + 1.3 * i
        table.append(
            {"start_time": start, "stop_time": start + 1.25, "split": split}
            | {"move_onset_time": start + 0.4 + rng.integers(100) / 1000}
            | {"trial_type": i // len(SPLITS) % 2, "trial_version": i % 2, "rt": 0.3, "remark": "as usual"}
        )
    return table


def _random_target(splits: list[str], rng: np.random.Generator) -> Trials:
    starts = 0.2 + 0.6 * np.arange(len(splits))
    return [
        {"start_time": start, "stop_time": start + 0.6, "split": split, "weather": rng.random()}
        for start, split in zip(starts, splits, strict=True)
    ]


def _bump(splits: list[str], rng: np.random.Generator) -> Trials:
    table = []
    for i, split in enumerate(splits):
        start = 0.05 + 1.1 * i
        table.append(
            {"start_time": start, "stop_time": start + 1.0, "split": split}
            | {"move_onset_time": start + 0.3 + rng.integers(50) / 1000}
            | {"cond_dir": 90.0 * (i // len(SPLITS) % 2), "ctr_hold_bump": i % 2 == 0, "result": "R"}
        )
    return table


def _timing(splits: list[str], rng: np.random.Generator) -> Trials:
    table = []
    for i, split in enumerate(splits):
        start = 0.5 + 2.6 * i
        tp = 700.0 + rng.integers(900)
        go = start + 1.7 + rng.integers(200) / 1000
        table.append(
            {"start_time": start, "stop_time": go + 0.5, "split": split, "go_time": go, "set_time": go - tp / 1000}
            | {"is_eye": i % 2, "theta": 0, "is_short": 1, "ts": 800.0, "tp": tp}
            | {"is_outlier": int(i % 13 == 12), "juice_ml": rng.random()}
        )
    return table


LAYOUTS = {"mc_rtt": _random_target, "mc_maze_small": _maze, "area2_bump": _bump, "dmfc_rsg": _timing}


def _add_trials(nwb: NWBFile, table: Trials) -> None:
    for name in table[0]:
        if name not in ("start_time", "stop_time"):
            nwb.add_trial_column(name, f"{name} of the trial")
    for row in table:
        nwb.add_trial(**row)


def _add_units(
    nwb: NWBFile,
    table: Trials,
    end_s: float,
    ids: np.ndarray,
    heldout: np.ndarray,
    name: str,
    rng: np.random.Generator,
) -> None:
    is_test = "test" in name
    observed = list(_observed(table, end_s))
    spikes, depth = [], []
    for number, out in enumerate(heldout):
        rate = 0.0 if number == 2 or (is_test and out) else rng.uniform(5, 40)
        times = rng.uniform(0, end_s - 0.01, rng.poisson(rate * end_s))
        on_grid = times.round(3) + rng.uniform(-1e-11, 1e-11, times.size)
        times = np.sort(np.abs(np.where(rng.random(times.size) < 0.5, on_grid, times)))
        seen = np.any([(start + 1e-3 <= times) & (times < stop - 1e-3) for start, stop in observed], axis=0)
        spikes.append(times[seen])
        depth.append(rng.random())
    add_unit_table(nwb, ids, spikes, [np.array(observed)] * len(ids))
    nwb.add_unit_column("heldout", "kept back", data=heldout)
    nwb.add_unit_column("depth", "below the surface, in mm", data=depth)


def _observed(table: Trials, end_s: float) -> Iterable[tuple[float, float]]:
    """All time except 100 ms in the middle of each trial without a split."""
    start = 0.0
    for row in table:
        if row["split"] == "none":
            middle = round((row["start_time"] + row["stop_time"]) / 2, 3)
            yield start, middle
            start = middle + 0.1
    yield start, round(end_s, 3)


def _add_behavior(nwb: NWBFile, dataset: str, end_s: float, rng: np.random.Generator) -> None:
    n_ms = int(end_s * 1000)
    walk = np.cumsum(rng.normal(size=(n_ms, 2)), axis=0) / 30
    in_columns = {"unit": "mm/s", "comments": "columns=[x,y]"}
    stamped = {"timestamps": np.arange(n_ms) / 1000}
    behavior = nwb.create_processing_module("behavior", "what the animal did")
    if dataset == "mc_rtt":
        behavior.add(TimeSeries(name="finger_vel", data=walk, **in_columns, **stamped))
        behavior.add(TimeSeries(name="target_pos", data=np.sign(walk), unit="mm", **stamped))
    elif dataset == "mc_maze_small":
        behavior.add(TimeSeries(name="hand_vel", data=walk, **in_columns, rate=1000.0, starting_time=0.0))
    elif dataset == "area2_bump":
        nwb.add_acquisition(TimeSeries(name="hand_vel", data=walk, **in_columns, **stamped))
        # Has long gaps: reading it together with the spikes would drop bins.
        pupil = np.where(np.arange(n_ms) % 500 < 100, np.nan, 3.0)
        behavior.add(TimeSeries(name="pupil", data=pupil, unit="mm", **stamped))
    else:
        nwb.add_acquisition(TimeSeries(name="eye_pos", data=walk, unit="deg", rate=250.0, starting_time=0.003))
