"""Detecting the kind of a recording by the contents of its file."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import h5py

from nlb_search.data.errors import DataError

NLB_SPIKES = ("train_spikes_heldin", "train_spikes_heldout", "eval_spikes_heldin", "eval_spikes_heldout")
"""The required arrays by nlb_tools' names; eval is val."""

LFADS_SPIKES = ("train_encod_data", "train_recon_data", "valid_encod_data", "valid_recon_data")
"""The arrays that lfads-torch reads (https://github.com/arsedler9/lfads-torch).

Models read the ``encod`` arrays and predict the ``recon`` arrays.
"""

_FILTERS = {32001: "blosc", 32004: "lz4", 32008: "bitshuffle", 32015: "zstd", 32026: "blosc2"}
"""Registered numbers of the HDF5 filters that are in use for neural data."""

Kind = Literal["nwb", "nlb", "lfads"]


@dataclass(frozen=True)
class Layout:
    """The kind of a recording, and the HDF5 group with its arrays."""

    kind: Kind
    group: str


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
        raise DataError(_why_unreadable(path, error)) from error


def _why_unreadable(path: Path, error: OSError) -> str:
    """Says why HDF5 cannot read a file, and what to do."""
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
    return f"{path} is not a complete HDF5 file ({reason}): give an NWB file or a file of arrays"


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


def layout_of(path: Path, file: h5py.File) -> Layout:
    """Detect the layout of a file. Raises DataError, with the contents of the file, unless it has one recording."""
    if "nwb_version" in file.attrs:
        return Layout("nwb", "/")
    groups = ["/", *(name for name, item in file.items() if isinstance(item, h5py.Group))]
    kinds: dict[Kind, tuple[str, ...]] = {"nlb": NLB_SPIKES, "lfads": LFADS_SPIKES}
    found = [Layout(kind, group) for kind, names in kinds.items() for group in groups if _any(names, file[group])]
    if len(found) > 1:
        raise DataError(
            f"{path} has several recordings, in the groups {', '.join(layout.group for layout in found)}: "
            "give one file per recording, with the arrays at its root or in one group"
        )
    if not found:
        raise DataError(
            f"{path} is not a recording ({_contents(file)}): give an NWB file, a file with the arrays {NLB_SPIKES[0]} "
            f"and so on, or a file with the arrays {LFADS_SPIKES[0]} and so on"
        )
    [layout] = found
    return layout


def _any(names: tuple[str, ...], group: Any) -> bool:
    return any(name in group for name in names)


def _contents(file: h5py.File) -> str:
    """Describes a file that is not a recording."""
    names = ", ".join(file)
    if any(isinstance(item, h5py.Group) and "eval_rates_heldout" in item for item in file.values()):
        return f"it is a submission with the rates of {names}"
    return f"it has {names}" if names else "it is empty"
