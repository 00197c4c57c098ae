"""Opening HDF5 files, with the causes why one cannot be read in words."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py

from nlb_search.data.errors import DataError

_FILTERS = {32001: "blosc", 32004: "lz4", 32008: "bitshuffle", 32015: "zstd", 32026: "blosc2"}
"""Registered numbers of the HDF5 filters that are in use for neural data."""


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


def known_cause(path: Path, error: OSError) -> str | None:
    """Says why HDF5 cannot read a file that may be sound, and what to do; None if the file must be damaged."""
    reason = str(error).splitlines()[0]
    if isinstance(error, BlockingIOError) or "unable to lock file" in reason or "already open for write" in reason:
        return (
            f"{path} is open for writing in another program, or was not closed by one that ended: close it there, or "
            f"copy the file and give the copy ({reason})"
        )
    missing = _missing_filters(path)
    if missing:
        return (
            f"{path} is compressed with {', '.join(missing)}, which HDF5 cannot read here: write the file with gzip "
            "(h5repack -f GZIP=4), or install hdf5plugin and set HDF5_PLUGIN_PATH to its folder of plugins"
        )
    return None


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
