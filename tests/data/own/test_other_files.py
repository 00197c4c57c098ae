"""Files that are no recordings, or that lack what an NWB file must have: what is wrong is said."""

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from nlb_search.data.errors import DataError
from nlb_search.data.opening import open_recording
from nlb_search.data.own.recording_settings import RecordingSettings
from nlb_search.data.recording import Recording
from tests.helpers.processes.in_process import open_in_process
from tests.helpers.recordings.own_nwb import OwnSession


def opened(path: Path, **settings: Any) -> Recording:
    return open_in_process("mine", path, 10, path.parent / "cache", RecordingSettings(**settings))


def rejection(path: Path, **settings: Any) -> str:
    with pytest.raises(DataError) as raised:
        opened(path, **settings)
    return str(raised.value)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "session.nwb"


@pytest.mark.parametrize("linked", ["units", "units/spike_times", "intervals/trials", "acquisition/paw/data"])
def test_links_to_other_files_are_rejected(linked: str, file: Path) -> None:
    """Whether the other file is there or not: its content is not in the hash that a study is checked by."""
    path = OwnSession().write(file)
    with h5py.File(path, "a") as nwb, h5py.File(file.with_name("other.h5"), "w") as other:
        nwb.copy(linked, other, "moved")
        del nwb[linked]
        nwb[linked] = h5py.ExternalLink("other.h5", "/moved")
    said = rejection(path, behavior="paw")
    assert f"{path}: {linked} is a link to the file other.h5, which may change without notice: write all to one" in said


@pytest.mark.parametrize(
    ("ids", "why"),
    [(None, "it has no ids"), ([3] * 12, "its ids are not unique"), ([b"u1"] * 12, "its ids are not integers")],
)
def test_units_without_ids_are_numbered_by_row(ids: Any, why: str, file: Path) -> None:
    path = OwnSession().write(file)
    whole = opened(path)
    with h5py.File(path, "a") as nwb:
        del nwb["units/id"]
        if ids is not None:
            nwb["units/id"] = ids
    recording = opened(path)
    assert f"units are numbered by their rows in the unit table, because {why}" in recording.choices
    np.testing.assert_array_equal(recording.train_val.counts, whole.train_val.counts)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is empty: copy or download it again"),
        (
            b"version https://git-lfs.github.com/spec/v1\noid sha256:1",
            "is a Git LFS pointer, not the file itself",
        ),
        (b"/annex/objects/MD5E-s1--1.nwb\n", "is a git-annex pointer, not the file itself: get it with"),
        (b"<!DOCTYPE html><html>404</html>", "is a web page, not a recording: download the file itself"),
        (b"\x1f\x8b\x08\x00", "is compressed with gzip: unpack it first"),
    ],
)
def test_files_that_are_no_recordings_are_named(content: bytes, says: str, file: Path) -> None:
    file.write_bytes(content)
    assert f"{file} {says}" in rejection(file)


def test_nwb_1_is_rejected(file: Path) -> None:
    with h5py.File(file, "w") as nwb:
        nwb["nwb_version"] = b"NWB-1.0.6"
    assert f"{file} is an NWB 1 file, which is unsupported: convert it to NWB 2" in rejection(file)


@pytest.mark.parametrize(
    ("inside", "says"),
    [
        (None, "does not exist"),
        (".zgroup", "is a Zarr folder, which is unsupported: export it to an HDF5 file"),
        ("a.nwb", "is a folder with a.nwb: give one file"),
        ("notes.txt", "is neither"),
    ],
)
def test_places_that_are_no_recordings_are_named(inside: str | None, says: str, tmp_path: Path) -> None:
    place = tmp_path / "session"
    if inside is not None:
        place.mkdir()
        (place / inside).touch()
    with pytest.raises(DataError) as raised:
        open_recording("mine", place, 10)
    assert f"{place} {says}" in str(raised.value)
