"""The units and trials that a recording names are those of its file: their counts are found there again."""

from pathlib import Path

import h5py
import numpy as np
import pytest

from nlb_search.data import from_arrays
from nlb_search.data.inspection.identities import Identities, identities_of
from nlb_search.data.opening import open_recording
from nlb_search.data.own.recording_settings import RecordingSettings
from nlb_search.data.recording import Recording
from tests.helpers.recordings import foreign_nwb
from tests.helpers.recordings.nlb_reference import loaded, quiet_nlb_tools
from tests.helpers.recordings.own_nwb import OwnSession
from tests.helpers.recordings.toy_arrays import toy_arrays


def opened(path: Path, settings: RecordingSettings, bin_ms: int) -> tuple[Recording, Identities]:
    recording = open_recording("own", path, bin_ms, settings=settings)
    return recording, identities_of(recording, path, settings)


@pytest.mark.parametrize("layout", foreign_nwb.LAYOUTS)
def test_units_and_trials_of_benchmark_are_in_the_order_of_nlb_tools(layout: str, written: Path, cache: Path) -> None:
    known = identities_of(open_recording(layout, written, 20, cache), written, None)
    with quiet_nlb_tools():
        train, test = (loaded(written / layout / f"my-{name}-set.nwb", layout, 20) for name in ("train", "test"))
    assert known.heldin == tuple(train.data["spikes"].columns) == tuple(test.data["spikes"].columns)
    assert known.heldout == tuple(train.data["heldout_spikes"].columns)
    for name, file in (("train", train), ("val", train), ("test", test)):
        assert known.trials[name] == tuple(np.flatnonzero(file.trial_info.split == name))
    assert known.train_val == tuple(np.flatnonzero(train.trial_info.split.isin(["train", "val"])))


def test_units_and_trials_of_benchmark_have_the_spikes_of_the_file(written: Path, cache: Path) -> None:
    """In mc_rtt, a window is the 600 ms from the start of the trial."""
    recording = open_recording("mc_rtt", written, 5, cache)
    known = identities_of(recording, written, None)
    assert known.heldin != tuple(range(recording.n_heldin))
    assert recording.test is not None
    for name, split, rows in (
        ("train", recording.train, known.trials["train"]),
        ("train", recording.val, known.trials["val"]),
        ("train", recording.train_val, known.train_val),
        ("test", recording.test, known.trials["test"]),
    ):
        units = (known.heldin + known.heldout)[: split.counts.shape[2]]
        with h5py.File(written / "mc_rtt" / f"my-{name}-set.nwb") as file:
            starts_ms = np.rint(1000 * file["intervals/trials/start_time"][()])[list(rows)]
            ends = file["units/spike_times_index"][()]
            spikes = dict(zip(file["units/id"][()], np.split(file["units/spike_times"][()], ends[:-1]), strict=True))
        spikes_ms = [np.floor(np.round(1000 * spikes[unit], 6)) for unit in units]
        expected = [[np.count_nonzero((start <= of) & (of < start + 600)) for of in spikes_ms] for start in starts_ms]
        assert split.counts[:, : split.n_window_bins].sum(axis=1).tolist() == expected


@pytest.mark.parametrize("heldout", [0.25, "probe_b"])
def test_units_and_trials_of_nwb_file(heldout: float | str, tmp_path: Path) -> None:
    """Counts tell which unit and row is which: unit u fires u + 1 spikes, and every row has another set of units."""
    session = OwnSession(n_trials=40)
    session.columns["part"] = [("train", "val", "train", "test")[row % 4] for row in range(40)]
    session.units["probe_b"] = [unit in (1, 8, 9) for unit in range(12)]
    settings = RecordingSettings(heldout=heldout, split="part", forward_ms=0, window_ms=(0, 100))
    session.spikes = [
        np.concatenate(
            [
                start + 0.0104 + 0.002 * np.arange(unit + 1)
                for row, start in enumerate(session.start)
                if fires(unit, row)
            ]
        )
        for unit in range(12)
    ]
    path = session.write(tmp_path / "session.nwb")
    recording, known = opened(path, settings, 10)
    assert (known.units, known.rows) == ("ids of the unit table", "rows of the trial table")
    if heldout == "probe_b":
        assert known.heldout == (1, 8, 9)
    assert sorted(known.heldin + known.heldout) == list(range(12))
    for name, split in (("train", recording.train), ("val", recording.val), ("test", recording.test)):
        assert split is not None
        units = (known.heldin + known.heldout)[: split.counts.shape[2]]
        expected = [[(unit + 1) * fires(unit, row) for unit in units] for row in known.trials[name]]
        assert split.counts.sum(axis=1).tolist() == expected
    both = [[(unit + 1) * fires(unit, row) for unit in known.heldin + known.heldout] for row in known.train_val]
    assert recording.train_val.counts.sum(axis=1).tolist() == both


def fires(unit: int, row: int) -> bool:
    """Whether a unit fires in a row: units 0 to 5 if the bit of that number of the row is set, 6 to 11 if it is not."""
    return bool(row >> (unit % 6) & 1) == (unit < 6)


def test_random_channels_of_lfads_arrays(tmp_path: Path) -> None:
    """Channel c has the count c + 1 in its first bin, in every trial."""
    spikes = np.random.default_rng(0).poisson(1.0, (30, 20, 12))
    spikes[:, 0] = np.arange(1, 13)
    with h5py.File(tmp_path / "lfads.h5", "w") as file:
        for prefix, trials in (("train", slice(20)), ("valid", slice(20, None))):
            file[f"{prefix}_encod_data"] = file[f"{prefix}_recon_data"] = spikes[trials]
    recording, known = opened(tmp_path / "lfads.h5", RecordingSettings(heldout=0.34), 10)
    assert recording.train.counts[0, 0].tolist() == [channel + 1 for channel in known.heldin + known.heldout]
    assert len(known.heldout) == recording.n_heldout == 4
    assert known.trials == {"train": tuple(range(20)), "val": tuple(range(10))}


def test_arrays_are_numbered_as_in_the_file(tmp_path: Path) -> None:
    from_arrays(tmp_path / "toy.h5", toy_arrays(20, 8))
    _, known = opened(tmp_path / "toy.h5", RecordingSettings(), 5)
    assert (known.heldin, known.heldout) == (tuple(range(9)), tuple(range(3)))
    assert known.rows == "indices in the arrays"
