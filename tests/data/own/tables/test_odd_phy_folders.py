"""Folders of phy as programs, spreadsheets and other versions leave them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nlb_search.data.errors import DataError
from nlb_search.data.own.recording_settings import RecordingSettings
from nlb_search.data.own.source import OwnRecording
from nlb_search.data.source import Tensors
from tests.helpers.recordings.own_nwb import OwnSession
from tests.helpers.recordings.phy_folder import write_phy_folder

Change = Callable[[Path], Any]

GROUPS = {10 + unit: "good" if unit % 3 else "mua" for unit in range(12)}
SETTINGS: dict[str, Any] = {"align": "go", "window_ms": (-100, 300), "forward_ms": 0}


def tensors(folder: Path, **settings: Any) -> Tensors:
    return OwnRecording("mine", folder, 10, RecordingSettings(**(SETTINGS | settings))).make()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_phy_folder(tmp_path / "phy", OwnSession(), GROUPS)


def saved(name: str, values: Callable[[Any], Any]) -> Change:
    return lambda folder: np.save(folder / name, values(np.load(folder / name)))


def params(text: str, encoding: str = "utf-8") -> Change:
    return lambda folder: (folder / "params.py").write_text(text, encoding=encoding)


def trials(change: Callable[[str], str], encoding: str = "utf-8") -> Change:
    def rewrite(folder: Path) -> None:
        file = folder / "trials.csv"
        file.write_bytes(change(file.read_text()).encode(encoding))

    return rewrite


SAME = {
    **{f"clusters {kind}": saved("spike_clusters.npy", lambda v, k=kind: v.astype(k)) for kind in ("u8", "f4", ">i4")},
    **{f"times {kind}": saved("spike_times.npy", lambda v, k=kind: v.astype(k)) for kind in ("i8", "f8", ">u8")},
    "times in one row": saved("spike_times.npy", np.transpose),
    "path of Windows": params("dat_path = 'C:\\Users\\x\\temp.dat'\nsample_rate = 20000."),
    "rate as text": params("sample_rate = '20000'"),
    "rate with a comment": params("#sample_rate = 1\nsample_rate = 20_000  # Hz"),
    "rate twice": params("sample_rate = 30000\nsample_rate = 20000;dtype = 'int16'"),
    "rate with a type": params("sample_rate: float = 2e4"),
    "other encoding": params("dat_path = 'grün.dat'\nsample_rate = 20000.", "latin-1"),
    "byte order mark": trials(lambda text: "\ufeff" + text),
    "lines of Windows": trials(lambda text: text.replace("\n", "\r\n")),
    "UTF-16": trials(lambda text: text, "utf-16"),
    "semicolons": trials(lambda text: text.replace(",", ";")),
    "decimal commas": trials(lambda text: text.replace(",", ";").replace(".", ",")),
    "a text with a comma": trials(
        lambda text: text.replace(",", ";").replace("\n", ';"3,4"\n').replace('"3,4"', "pair", 1)
    ),
    "names in a comment": trials(lambda text: "# " + text),
    "tabs": trials(lambda text: text.replace(",", "\t")),
    "spaces": trials(lambda text: text.replace(",", ", ")),
    "comment": trials(lambda text: "# my trials\n\n" + text),
    "empty table": lambda folder: (folder / "cluster_purity.tsv").write_text(""),
}


@pytest.mark.parametrize("change", SAME.values(), ids=SAME)
def test_other_ways_to_write_a_file_give_the_same_counts(change: Change, folder: Path) -> None:
    change(folder)
    session = OwnSession()
    edges = session.start[:, None] + np.arange(41) / 100
    spikes = [np.rint(times * 20_000) / 20_000 for times in session.spikes]
    expected = [sum(np.histogram(times, trial + 1e-7)[0] for times in spikes) for trial in edges]
    np.testing.assert_array_equal(tensors(folder).splits["train_val"].counts.sum(axis=2), expected)


def only(name: str, key: str, column: str, separator: str = "\t") -> Change:
    def rewrite(folder: Path) -> None:
        (folder / "cluster_group.tsv").unlink()
        rows = "".join(f"{cluster}{separator}{group}\n" for cluster, group in GROUPS.items())
        (folder / name).write_text(f"{key}{separator}{column}\n{rows}")

    return rewrite


@pytest.mark.parametrize(
    ("change", "column"),
    [
        (only("cluster_KSLabel.tsv", "cluster_id", "KSLabel"), "KSLabel"),
        (only("cluster_group.tsv", "cluster_id", "KSLabel"), "KSLabel"),
        (only("cluster_info.tsv", "id", "group"), "group"),
        (only("cluster_groups.csv", "cluster_id", "group"), "group"),
        (only("cluster_group.tsv", "cluster_id", "group", ","), "group"),
    ],
)
def test_groups_are_found_where_versions_of_phy_write_them(change: Change, column: str, folder: Path) -> None:
    change(folder)
    made = tensors(folder, units=f"{column} == 'good'")
    assert f"left out 4 of 12 units that do not match {column} == 'good' (ids 10, 13, 16, 19)" in made.choices


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (saved("spike_times.npy", lambda v: v / 20_000), "are these seconds? phy stores sample numbers"),
        (saved("spike_times.npy", lambda v: np.c_[v, v]), "it must have one integer per spike"),
        (params("fs = 2e4\nsample_rate = fs"), "has sample_rate = fs, which is not a positive number of Hz"),
        (params("sample_rate = True"), "has sample_rate = True, which is not"),
        (params("sample_rate = nan"), "has sample_rate = nan, which is not"),
        (params("fs = 20000."), "has no sample_rate, the sampling rate in Hz"),
        (trials(lambda text: text.partition("\n")[2]), "trials.csv starts with the numbers 0.2, "),
        (trials(lambda _: ""), "trials.csv is empty: write a line of column names"),
        (trials(lambda text: text.partition("\n")[0]), "trials.csv has no trials below its line of column names"),
        (trials(lambda text: text.replace("kind", "go")), "trials.csv has several columns go"),
        (trials(lambda text: text.replace("easy", "easy,x", 1)), "trials.csv has lines of different lengths"),
    ],
)
def test_files_that_cannot_be_read_are_named(change: Change, says: str, folder: Path) -> None:
    change(folder)
    with pytest.raises(DataError) as raised:
        tensors(folder)
    assert says in str(raised.value)


def test_objects_are_never_unpickled(folder: Path) -> None:
    np.save(folder / "spike_clusters.npy", np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(DataError, match="has Python objects instead of numbers"):
        tensors(folder)
