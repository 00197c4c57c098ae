"""Opening HDF5 files, with errors that explain why a file cannot be read."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py

from nlb_search.data.errors import DataError

_FILTERS = {32001: "blosc", 32004: "lz4", 32008: "bitshuffle", 32015: "zstd", 32026: "blosc2"}
"""Registered numbers of the HDF5 filters that are in use for neural data."""

_OTHER_FILES = {
    b"version https://git-lfs": "is a Git LFS pointer, not the file itself: get it with `git lfs pull`",
    b"/annex/objects/": "is a git-annex pointer, not the file itself: get it with `git annex get` or `datalad get`",
    b"<": "is a web page, not a recording: download the file itself",
    b"\x1f\x8b": "is compressed with gzip: unpack it first",
    b"\x93NUMPY": "is a single NumPy array: save all arrays by name in one .npz file",
}
"""The first bytes of other files that are mistaken for a recording, and what to do about them."""


@contextmanager
def opened(path: Path) -> Iterator[h5py.File]:
    """Open an HDF5 file for reading.

    Raises DataError if it is not an HDF5 file, is truncated, is open for writing elsewhere, or needs a filter that is
    not installed.
    """
    try:
        with h5py.File(path, "r") as file:
            yield file
    except OSError as error:
        reason = str(error).splitlines()[0]
        raise DataError(
            known_cause(path, error)
            or f"{path} is not a complete HDF5 file ({reason}): give an NWB file or a file of arrays"
        ) from error


def check_in_file(path: Path, file: h5py.File, group: str) -> None:
    """Raises DataError if a group, or an item in it, is a broken link, is a link to another file, or has its values in
    another file. Links within the file are followed.

    The content hash of a recording does not contain the other file, so a change of it would not be noticed.
    """
    parts = group.strip("/").split("/")
    parents = ["/".join(parts[: depth + 1]) for depth in range(len(parts))]
    items = [f"{parents[-1]}/{item}".strip("/") for item in file.get(parents[-1] or "/", ())]
    for name in filter(None, (*parents, *items)):
        link, item = file.get(name, getlink=True), file.get(name)
        others = {link.filename} if isinstance(link, h5py.ExternalLink) else _other_files(file, item)
        for other in sorted(others):
            raise DataError(
                f"{path}: {name} is a link to the file {other}, which may change without notice: write all to "
                "one file, for instance with NWBHDF5IO.export of pynwb"
            )
        if item is None and isinstance(link, h5py.SoftLink):
            raise DataError(
                f"{path}: {name} is a link to {link.path}, which is not in the file: write it, or remove it"
            )


def _other_files(file: h5py.File, item: h5py.Group | h5py.Dataset | None) -> set[str]:
    """The files that an item's values are in, other than ``file``: soft links can lead there over external ones."""
    if item is not None and item.file.filename != file.filename:
        return {str(item.file.filename)}
    if not isinstance(item, h5py.Dataset):
        return set()
    sources = {source.file_name for source in item.virtual_sources()} - {"."} if item.is_virtual else set()
    return sources | {name for name, _, _ in item.external or ()}


def known_cause(path: Path, error: OSError) -> str | None:
    """Explains why HDF5 cannot read a file that may be intact, and what to do; None if the file must be damaged."""
    reason = str(error).splitlines()[0]
    if isinstance(error, BlockingIOError) or "unable to lock file" in reason or "already open for write" in reason:
        return (
            f"{path} is open for writing in another program, or was not closed when a program ended: close it, or "
            f"copy the file and give the copy ({reason})"
        )
    other = _other_file(path)
    if other is not None:
        return f"{path} {other}"
    missing = _missing_filters(path)
    if missing:
        return (
            f"{path} is compressed with {', '.join(missing)}, which HDF5 cannot read here: write the file with gzip "
            "(h5repack -f GZIP=4), or install hdf5plugin and set HDF5_PLUGIN_PATH to its folder of plugins"
        )
    return None


def _other_file(path: Path) -> str | None:
    """The kind of a file that is not HDF5, and what to do about it; None if its first bytes do not show it."""
    try:
        with path.open("rb") as file:
            start = file.read(64)
    except OSError:
        return None
    if not start:
        return "is empty: copy or download it again"
    return next((what for beginning, what in _OTHER_FILES.items() if start.startswith(beginning)), None)


def _missing_filters(path: Path) -> list[str]:
    """The filters that datasets of a file need and that are not installed, each with the first such dataset."""
    missing: dict[int, str] = {}

    def note(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            created = item.id.get_create_plist()
            for number in range(created.get_nfilters()):
                code = created.get_filter(number)[0]
                if not h5py.h5z.filter_avail(code):
                    missing.setdefault(code, f"{_FILTERS.get(code, f'filter {code}')} (in {name})")

    try:
        with h5py.File(path, "r") as file:
            file.visititems(note)
    except (OSError, RuntimeError):
        return []
    return list(missing.values())
