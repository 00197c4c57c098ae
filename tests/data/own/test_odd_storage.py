"""NWB files as other programs write them: other number types, links, and columns that do not fit together."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from nlb_search.data.errors import DataError
from nlb_search.data.own.recording_settings import RecordingSettings
from nlb_search.data.own.source import OwnRecording
from nlb_search.data.source import Tensors
from tests.helpers.recordings.own_nwb import Array, OwnSession

Change = Callable[[h5py.File], Any]

WINDOW: dict[str, Any] = {"window_ms": (0, 400), "forward_ms": 0, "heldout": (3, 7)}


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return OwnSession().write(tmp_path_factory.mktemp("nwb") / "session.nwb")


@pytest.fixture
def changed(written: Path, tmp_path: Path) -> Callable[[Change], Path]:
    """A copy of the session with a change of its file."""

    def copy(change: Change) -> Path:
        path = tmp_path / "session.nwb"
        path.write_bytes(written.read_bytes())
        with h5py.File(path, "a") as file:
            change(file)
        return path

    return copy


def tensors(path: Path, **settings: Any) -> Tensors:
    return OwnRecording("mine", path, 10, RecordingSettings(**(WINDOW | settings))).make()


def rejection(path: Path, **settings: Any) -> str:
    with pytest.raises(DataError) as raised:
        tensors(path, **settings)
    return str(raised.value)


def counts_of(session: OwnSession) -> Array:
    """Trials x 40 bins of 10 ms x units, held-in units first, by NumPy's histogram."""
    order = [*np.setdiff1d(np.arange(12), (3, 7)), 3, 7]
    edges = session.start[:, None] + np.arange(41) / 100
    return np.array([[np.histogram(session.spikes[unit], trial)[0] for unit in order] for trial in edges]).swapaxes(
        1, 2
    )


def replaced(name: str, values: Callable[[Array], Any]) -> Change:
    def change(file: h5py.File) -> None:
        found = values(file[name][()])
        del file[name]
        file[name] = found

    return change


def moved(name: str) -> Change:
    """An item in another place of the file, and a link to it."""

    def change(file: h5py.File) -> None:
        file.move(name, "scratch/moved")
        file[name] = h5py.SoftLink("/scratch/moved")

    return change


ENDS, SPIKES = "units/spike_times_index", "units/spike_times"


@pytest.mark.parametrize(
    "change",
    [
        *(replaced(ENDS, lambda ends, kind=kind: ends.astype(kind)) for kind in ("i4", "i8", ">u4", "f8")),
        replaced(SPIKES, lambda spikes: spikes.astype(">f8")),
        replaced("units/id", lambda ids: ids.astype("f8")),
        *(moved(name) for name in ("units", SPIKES, "intervals/trials", "intervals/trials/start_time")),
    ],
)
def test_other_types_and_links_within_the_file_give_the_same_counts(
    change: Change, changed: Callable[[Change], Path]
) -> None:
    found = tensors(changed(change)).splits["train_val"].counts
    np.testing.assert_array_equal(found, counts_of(OwnSession()))


def test_rows_of_trials_in_any_order_and_units_without_spikes(tmp_path: Path) -> None:
    session = OwnSession()
    session.spikes[2] = session.spikes[7] = np.array([])
    expected = counts_of(session)
    order = np.random.default_rng(0).permutation(40)
    session.start, session.stop = session.start[order], session.stop[order]
    found = tensors(session.write(tmp_path / "session.nwb")).splits["train_val"].counts
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(
    ("ids", "why"),
    [
        (np.arange(12, dtype="u8") + np.uint64(2**63), "its ids have more than 63 bits"),
        (np.arange(10), "it has 10 ids for 12 units"),
        (np.arange(12) + 0.5, "its ids are not integers"),
    ],
)
def test_ids_that_cannot_be_used(ids: Array, why: str, changed: Callable[[Change], Path]) -> None:
    made = tensors(changed(replaced("units/id", lambda _: ids)))
    assert f"units are numbered by their rows in the unit table, because {why}" in made.choices


def late_in_single_precision(file: h5py.File) -> None:
    replaced(SPIKES, lambda spikes: (spikes + 30_000).astype("f4"))(file)
    for name in ("start_time", "stop_time"):
        replaced(f"intervals/trials/{name}", lambda times: times + 30_000)(file)


def test_times_of_single_precision_are_said_to_be_coarse(changed: Callable[[Change], Path]) -> None:
    made = tensors(changed(late_in_single_precision))
    assert "spike times are float32, in steps of 2 ms at 30036 s: spikes may be in a neighbouring bin" in made.choices
    early = tensors(changed(replaced(SPIKES, lambda spikes: spikes.astype("f4"))))
    assert not any("float32" in choice for choice in early.choices)


def in_another_file(file: h5py.File) -> Path:
    other = Path(file.filename).with_name("other.h5")
    with h5py.File(other, "w") as further:
        for name in ("units", "intervals"):
            file.copy(name, further)
    return other


def over_a_soft_link(file: h5py.File) -> None:
    file["elsewhere"] = h5py.ExternalLink(in_another_file(file).name, "/")
    del file[SPIKES]
    file[SPIKES] = h5py.SoftLink(f"/elsewhere/{SPIKES}")


def virtual(file: h5py.File) -> None:
    shape = file[SPIKES].shape
    layout = h5py.VirtualLayout(shape, "f8")
    layout[:] = h5py.VirtualSource(in_another_file(file).name, SPIKES, shape)
    del file[SPIKES]
    file.create_virtual_dataset(SPIKES, layout)


def raw_values(file: h5py.File) -> None:
    values = file[SPIKES][()]
    raw = Path(file.filename).with_name("other.h5")
    values.tofile(raw)
    del file[SPIKES]
    file.create_dataset(SPIKES, shape=values.shape, dtype="f8", external=[(str(raw), 0, values.nbytes)])


def external(name: str) -> Change:
    def change(file: h5py.File) -> None:
        file[name] = h5py.ExternalLink(in_another_file(file).name, "/intervals/trials")

    return change


@pytest.mark.parametrize(
    ("change", "settings"),
    [
        (over_a_soft_link, {}),
        (virtual, {}),
        (raw_values, {}),
        (external("intervals/invalid_times"), {}),
        (external("intervals/epochs"), {"window_ms": None, "cut_ms": 500, "within": "epochs"}),
        (external("general/extracellular_ephys/electrodes"), {"units": "location == 'M1'"}),
    ],
)
def test_values_in_other_files_are_rejected(
    change: Change, settings: dict[str, Any], changed: Callable[[Change], Path]
) -> None:
    said = rejection(changed(change), **settings)
    assert "is a link to the file " in said
    assert "other.h5, which may change without notice" in said


def dangling(file: h5py.File) -> None:
    del file[SPIKES]
    file[SPIKES] = h5py.SoftLink("/nowhere")


def without_ends_of_observed(file: h5py.File) -> None:
    file["units/obs_intervals"] = np.tile([[0.0, 40.0]], (12, 1))


def transposed_observed(file: h5py.File) -> None:
    file["units/obs_intervals"] = np.tile([[0.0, 40.0]], (12, 1)).T
    file["units/obs_intervals_index"] = np.arange(1, 13)


def without_rows(file: h5py.File) -> None:
    for name in list(file["units"]):
        replaced(f"units/{name}", lambda values: values[:0])(file)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (replaced(ENDS, lambda ends: ends.astype("u1")), "spike_times_index (uint8, up to "),
        (replaced(ENDS, lambda ends: ends + 500), "does not divide the 16043 values of spike_times"),
        (replaced(SPIKES, lambda spikes: spikes.astype("S9")), "'spike_times' has values of the type |S9, not times"),
        (dangling, "units/spike_times is a link to /nowhere, which is not in the file"),
        (without_ends_of_observed, "units/obs_intervals without obs_intervals_index"),
        (transposed_observed, "'obs_intervals' has the shape (2, 12), but it must be intervals x 2"),
        (without_rows, "its unit table is empty"),
    ],
)
def test_columns_that_do_not_fit_are_named(change: Change, says: str, changed: Callable[[Change], Path]) -> None:
    assert says in rejection(changed(change))


def in_minutes(*names: str) -> Change:
    def change(file: h5py.File) -> None:
        for name in names:
            replaced(name, lambda times: times / 60)(file)

    return change


TRIALS = ("intervals/trials/start_time", "intervals/trials/stop_time")


@pytest.mark.parametrize("window", [(0, 400), None])
@pytest.mark.parametrize(
    ("names", "says"),
    [
        (TRIALS, "which last 0.011 s: are trial times in minutes? multiply them by 60"),
        ((SPIKES,), "or in minutes? multiply them by 60"),
        ((SPIKES, *TRIALS), "spikes/s on average: are all times in minutes? multiply them by 60"),
    ],
)
def test_minutes_are_recognized(
    names: tuple[str, ...], says: str, window: tuple[int, int] | None, changed: Callable[[Change], Path]
) -> None:
    assert says in rejection(changed(in_minutes(*names)), window_ms=window)


@pytest.mark.parametrize("scale", [1 / 60, 1000])
def test_events_in_another_unit_than_trials_are_named(scale: float, changed: Callable[[Change], Path]) -> None:
    def change(file: h5py.File) -> None:
        file["intervals/trials/go"] = scale * (file["intervals/trials/start_time"][()] + 0.1)

    said = rejection(changed(change), align="go")
    assert "'go' and 'start_time' look like the same times in different units (row 39: " in said
