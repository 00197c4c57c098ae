"""Detecting the kind of a recording by the contents of its file."""

from collections.abc import Iterable
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

Kind = Literal["nwb", "nlb", "lfads"]

_ARRAYS: dict[Kind, tuple[str, ...]] = {"nlb": NLB_SPIKES, "lfads": LFADS_SPIKES}
_WANTED = (
    f"give an NWB file, a file with the arrays {NLB_SPIKES[0]} and so on, or a file with the arrays {LFADS_SPIKES[0]} "
    "and so on"
)


@dataclass(frozen=True)
class FileFormat:
    """The kind of a recording, and the HDF5 group with its arrays."""

    kind: Kind
    group: str


def kind_of_arrays(path: Path, names: Iterable[str]) -> Kind:
    """Detect the kind of arrays by their names. Raises DataError unless they are one recording."""
    names = set(names)
    found = [kind for kind, needed in _ARRAYS.items() if names.intersection(needed)]
    if len(found) == 1:
        return found[0]
    if found:
        raise DataError(f"{path} has arrays of two recordings ({', '.join(sorted(names))}): give one file for each")
    raise DataError(f"{path} is not a recording (it has {', '.join(sorted(names)) or 'no arrays'}): {_WANTED}")


def format_of(path: Path, file: h5py.File) -> FileFormat:
    """Detect the format of a file. Raises DataError, with the contents of the file, unless it has one recording."""
    if "nwb_version" in file.attrs:
        return FileFormat("nwb", "/")
    if "nwb_version" in file:
        raise DataError(
            f"{path} is an NWB 1 file, which is unsupported: convert it to NWB 2, or write its spike times and trials "
            "with pynwb"
        )
    groups = ["/", *(name for name, item in file.items() if isinstance(item, h5py.Group))]
    found = [FileFormat(kind, group) for kind, names in _ARRAYS.items() for group in groups if _any(names, file[group])]
    if len(found) > 1:
        raise DataError(
            f"{path} has several recordings, in the groups {', '.join(one.group for one in found)}: "
            "give one file per recording, with the arrays at its root or in one group"
        )
    if not found:
        raise DataError(f"{path} is not a recording ({_contents(file)}): {_WANTED}")
    return found[0]


def _any(names: tuple[str, ...], group: Any) -> bool:
    return any(name in group for name in names)


def _contents(file: h5py.File) -> str:
    """Describes a file that is not a recording."""
    names = ", ".join(file)
    if any(isinstance(item, h5py.Group) and "eval_rates_heldout" in item for item in file.values()):
        return f"it is a submission with the rates of {names}"
    return f"it has {names}" if names else "it is empty"
