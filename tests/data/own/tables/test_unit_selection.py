"""Choosing the units of an NWB file: by columns, by rate, by table, and which are held out."""

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from pynwb import NWBHDF5IO

from nlb_search.data.errors import DataError
from nlb_search.data.inspection.identities import Identities, identities_of
from nlb_search.data.inspection.spike_intervals import read_intervals
from nlb_search.data.own.recording_settings import RecordingSettings
from nlb_search.data.own.row_expression import parse_expression
from nlb_search.data.recording import Recording
from tests.helpers.processes.in_process import open_in_process
from tests.helpers.recordings.own_nwb import OwnSession

COLUMNS = {
    "quality": np.array(["good", "mua", "good", "noise"]),
    "depth": np.array([100.0, 200.0, np.nan, 400.0]),
    "shank": np.array([0, 1, 1, 2]),
    "noisy": np.array([False, True, False, False]),
}


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("quality == 'good'", [0, 2]),
        ("quality != 'good' and depth > 300", [3]),
        ("not noisy", [0, 2, 3]),
        ("noisy or shank == 0", [0, 1]),
        ("100 <= depth < 400", [0, 1]),
        ("quality in ['good', 'mua']", [0, 1, 2]),
        ("shank not in (0, 2)", [1, 2]),
        ("shank == -1", []),
        ("not (quality == 'good' or shank >= 2)", [1]),
    ],
)
def test_rows_of_expression(text: str, rows: list[int]) -> None:
    assert np.flatnonzero(parse_expression(text).rows(COLUMNS)).tolist() == rows


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("quality = 'good'", "not a valid expression"),
        ("", "not a valid expression"),
        ("__import__('os').system('true')", "is not allowed"),
        ("quality.str == 'good'", "is not allowed"),
        ("open('x') == 1", "is not allowed"),
        ("[q for q in quality] == 1", "is not allowed"),
        ("depth ** 99 > 1", "is not allowed"),
        ("quality == ['good', 'mua']", "use in for a list"),
        ("quality in 'good'", "is not allowed"),
        ("lambda: 1", "is not allowed"),
    ],
)
def test_expressions_that_are_not_comparisons_are_rejected(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        parse_expression(text)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("quality > 3", "quality is text and 3 is a number"),
        ("depth == 'deep'", "'deep' is text and depth is a number"),
        ("shank", "column 'shank' is not boolean"),
        ("'good' in quality", "has one value per row: use =="),
    ],
)
def test_values_that_cannot_be_compared_are_rejected(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        parse_expression(text).rows(COLUMNS)


def opened(path: Path, **settings: Any) -> tuple[Recording, Identities]:
    chosen = RecordingSettings(**settings)
    recording = open_in_process("mine", path, 10, path.parent / "cache", chosen)
    return recording, identities_of(recording, path, chosen)


def test_units_are_selected_by_column(tmp_path: Path) -> None:
    session = OwnSession()
    session.units["quality"] = ["good" if unit % 3 else "mua" for unit in range(12)]
    path = session.write(tmp_path / "session.nwb")
    everything, _ = opened(path, heldout=(1, 4))
    recording, known = opened(path, units="quality == 'good'", heldout=(1, 4))
    assert known.heldin == (2, 5, 7, 8, 10, 11)
    assert known.heldout == (1, 4)
    assert "left out 4 of 12 units that do not match quality == 'good' (ids 0, 3, 6, 9)" in recording.choices
    heldin = [unit for unit in range(12) if unit not in (1, 4)]
    np.testing.assert_array_equal(
        recording.val.counts[..., :6], everything.val.counts[..., [heldin.index(unit) for unit in known.heldin]]
    )
    np.testing.assert_array_equal(recording.val.heldout, everything.val.heldout)
    intervals = read_intervals(path, RecordingSettings(units="quality == 'good'"))
    assert [unit.unit for unit in intervals] == [1, 2, 4, 5, 7, 8, 10, 11]


def test_slow_units_are_left_out(tmp_path: Path) -> None:
    session = OwnSession()
    session.spikes[3] = session.spikes[3][::100]
    session.spikes[7] = session.spikes[7][:0]
    recording, known = opened(session.write(tmp_path / "session.nwb"), min_rate_hz=2)
    assert set(range(12)) - set(known.heldin + known.heldout) == {3, 7}
    assert "left out 2 of 12 units that fire less than 2 spikes/s (ids 3, 7)" in recording.choices
    assert "held out a random 2 of the 10 neurons" in recording.choices


def test_units_are_selected_by_region_and_electrode_group(tmp_path: Path) -> None:
    session = OwnSession()
    path = session.write(tmp_path / "session.nwb")
    with NWBHDF5IO(path, "a") as io:
        nwb = io.read()
        device = nwb.create_device("array")
        groups = [nwb.create_electrode_group(name, name, "cortex", device) for name in ("probe0", "probe1")]
        for electrode in range(6):
            nwb.add_electrode(group=groups[electrode % 2], location=("M1", "PMd", "S1")[electrode // 2])
        io.write(nwb)
    with h5py.File(path, "a") as file:  # unit u is on electrode u // 2
        units, references = file["units"], [file[f"general/extracellular_ephys/probe{n}"].ref for n in (0, 1)]
        units["electrodes"], units["electrodes_index"] = np.arange(12) // 2, np.arange(1, 13)
        units.create_dataset("electrode_group", data=[references[u // 2 % 2] for u in range(12)], dtype=h5py.ref_dtype)
    for expression, expected in (
        ("location in ['M1', 'S1']", {0, 1, 2, 3, 8, 9, 10, 11}),
        ("electrode_group == 'probe1'", {2, 3, 6, 7, 10, 11}),
        ("location == 'PMd' and electrode_group == 'probe0'", {4, 5}),
    ):
        _, known = opened(path, units=expression)
        assert set(known.heldin + known.heldout) == expected


def test_one_of_several_unit_tables_is_named(tmp_path: Path) -> None:
    path = OwnSession().write(tmp_path / "session.nwb")
    with h5py.File(path, "a") as file:
        file.copy("units", file.require_group("processing/ecephys"), "sorted")
        del file["processing/ecephys/sorted/id"]
        file["processing/ecephys/sorted/id"] = np.arange(100, 112)
    with pytest.raises(DataError, match="has 2 unit tables, processing/ecephys/sorted and units: set units_table"):
        opened(path)
    with pytest.raises(DataError, match="no unit table with spike times at 'unit': its tables are processing/ecep"):
        opened(path, units_table="unit")
    _, known = opened(path, units_table="/processing/ecephys/sorted")
    assert sorted(known.heldin + known.heldout) == list(range(100, 112))
    _, known = opened(path, units_table="units")
    assert sorted(known.heldin + known.heldout) == list(range(12))


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        (
            {"units": "quality == 'good'"},
            "units names a column 'quality', which units does not have: choose one of id, n_spikes, spike_times",
        ),
        ({"units": "n_spikes > 1e9"}, "all 12 units do not match n_spikes > 1e9"),
        ({"units": "n_spikes == 'many'"}, "cannot be evaluated: 'many' is text and n_spikes is a number"),
        ({"min_rate_hz": 500}, "all 12 units fire less than 500 spikes/s"),
        (
            {"heldout": (3, 77)},
            "heldout lists units 77, which are not among the 12 units that are used (ids 0, 1, 2, 3, 4, ...)",
        ),
        ({"heldout": (0, 1), "units": "id != 1"}, "heldout lists units 1, which are not among the 11 units"),
        ({"heldout": tuple(range(12))}, "heldout lists all 12 units: leave at least one held-in unit"),
    ],
)
def test_selections_that_do_not_fit_are_rejected(settings: dict[str, Any], says: str, tmp_path: Path) -> None:
    session = OwnSession()
    session.units["n_spikes"] = [len(spikes) for spikes in session.spikes]
    path = session.write(tmp_path / "session.nwb")
    with pytest.raises(DataError) as raised:
        opened(path, **settings)
    assert says in str(raised.value)
    assert len(str(raised.value).splitlines()) == 1
