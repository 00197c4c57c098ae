"""What kind of recording a file holds: told by what is in it, not by its name."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import h5py

from nlb_search.data.errors import DataError

NLB_SPIKES = ("train_spikes_heldin", "train_spikes_heldout", "eval_spikes_heldin", "eval_spikes_heldout")
"""The arrays that the benchmark's tensors cannot do without, by nlb_tools' names: eval is val."""

LFADS_SPIKES = ("train_encod_data", "train_recon_data", "valid_encod_data", "valid_recon_data")
"""The arrays that lfads-torch reads (https://github.com/arsedler9/lfads-torch): encod is read, recon is predicted."""

Kind = Literal["nwb", "nlb", "lfads"]


@dataclass(frozen=True)
class Layout:
    """The kind of a recording, and the group of its file that holds the arrays."""

    kind: Kind
    group: str


@contextmanager
def opened(path: Path) -> Iterator[h5py.File]:
    """An HDF5 file to read. Raises DataError for a file that is not one, or that is cut off."""
    try:
        with h5py.File(path, "r") as file:
            yield file
    except OSError as error:
        raise DataError(
            f"{path} is not a complete HDF5 file ({str(error).splitlines()[0]}): give an NWB file, or one of arrays"
        ) from error


def layout_of(path: Path, file: h5py.File) -> Layout:
    """How the file holds a recording. Raises DataError, with what it does hold, for one that holds none."""
    if "nwb_version" in file.attrs:
        return Layout("nwb", "/")
    groups = ["/", *(name for name, item in file.items() if isinstance(item, h5py.Group))]
    kinds: dict[Kind, tuple[str, ...]] = {"nlb": NLB_SPIKES, "lfads": LFADS_SPIKES}
    found = [Layout(kind, group) for kind, names in kinds.items() for group in groups if _any(names, file[group])]
    if len(found) > 1:
        raise DataError(
            f"{path} holds several recordings, in {', '.join(layout.group for layout in found)}: "
            "give a file of each, with the arrays at its root or in one group"
        )
    if not found:
        held = ", ".join(file) or "nothing"
        raise DataError(
            f"{path} holds no recording but {_known(file)}{held}: give an NWB file, one with the arrays "
            f"{NLB_SPIKES[0]} and so on, or one with {LFADS_SPIKES[0]} and so on"
        )
    [layout] = found
    return layout


def _any(names: tuple[str, ...], group: Any) -> bool:
    return any(name in group for name in names)


def _known(file: h5py.File) -> str:
    """What a file that is no recording is, if we know."""
    if any(isinstance(item, h5py.Group) and "eval_rates_heldout" in item for item in file.values()):
        return "a submission's rates, of "
    return ""
