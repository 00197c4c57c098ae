"""Cutting a continuous recording into windows of equal length, and into splits without adjacent windows.

Units drift, so val and test are not the end of the session: the session is divided into sections, and the windows of
each are train, then val, then test. At each border, a window is left out unless the recording has a gap there.
"""

from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
import numpy.typing as npt

from nlb_search.data.errors import DataError
from nlb_search.data.hdf5_file import check_in_file
from nlb_search.data.own.intervals import EQUAL_NS, NS_PER_MS, IntArray, merged, nanoseconds
from nlb_search.data.own.recording_settings import RecordingSettings
from nlb_search.data.own.tables.table_columns import rows_where
from nlb_search.data.own.tables.trial_table import Trials
from nlb_search.data.own.wording import names_in

_MOST_SECTIONS = 5
_SECTION = 25
"""Minimum number of windows in a section, so that only few windows are left out at its borders."""

_FEWEST = 10
"""A recording with fewer windows than this cannot be split."""


@dataclass(frozen=True, eq=False)
class Cut:
    """The windows of a recording, as trials, and what was chosen."""

    trials: Trials
    choices: tuple[str, ...]


def epochs_of(path: Path, file: h5py.File, settings: RecordingSettings) -> IntArray | None:
    """The intervals that windows must lie in, or None for the whole recording.

    Raises DataError if the table that ``settings`` name does not exist, or if none of its rows is selected.
    """
    if settings.within is None:
        return None
    check_in_file(path, file, "intervals")
    tables = {name: item for name, item in file.get("intervals", {}).items() if "start_time" in item}
    name = settings.within.strip("/").removeprefix("intervals/")
    if name not in tables:
        raise DataError(f"{path} has no interval table '{settings.within}': choose one of {names_in(tables)}")
    table = tables[name]
    check_in_file(path, file, table.name)
    spans = np.stack([table["start_time"][()], table["stop_time"][()]], axis=1)
    selected = np.isfinite(spans).all(axis=1) & (spans[:, 0] < spans[:, 1])
    if settings.within_rows is not None:
        selected &= rows_where(path, file, table, "within_rows", settings.within_rows)
    if not selected.any():
        raise DataError(
            f"{path}: none of the {len(spans)} rows of the interval table '{settings.within}' is selected: check its "
            "times and within_rows"
        )
    return merged(nanoseconds(spans[selected]))


def cut(path: Path, usable: IntArray, settings: RecordingSettings) -> Cut:
    """Cut the usable intervals into windows of ``settings.cut_ms``, and divide the windows into splits.

    Raises DataError if there are fewer than ten windows.
    """
    assert settings.cut_ms is not None
    length, step = settings.cut_ms * NS_PER_MS, (settings.cut_ms + settings.gap_ms) * NS_PER_MS
    starts = np.concatenate(
        [np.arange(begin, end - length + EQUAL_NS + 1, step) for begin, end in usable] or [np.array([], np.int64)]
    )
    seconds = float((usable[:, 1] - usable[:, 0]).sum() / 1e9)
    if len(starts) < _FEWEST:
        raise DataError(
            f"{path}: {seconds:.3g} s of recording in {len(usable)} intervals give {len(starts)} windows of "
            f"{settings.cut_ms} ms, but at least {_FEWEST} are needed: reduce cut_ms or gap_ms"
        )
    splits, n_sections = _blocks(len(starts), settings.val_share)
    borders = np.flatnonzero((splits[1:] != splits[:-1]) & (np.diff(starts) < 2 * length - EQUAL_NS))
    # Of the two windows at a border, the train window is left out, if there is one.
    splits[np.where(splits[borders + 1] == "train", borders + 1, borders)] = "none"
    sizes = ", ".join(f"{np.count_nonzero(splits == name)} {name}" for name in ("train", "val", "test"))
    said = (
        f"cut {seconds:.4g} s of recording into {len(starts)} windows of {settings.cut_ms} ms ({sizes}), with "
        f"blocks of val and test in {n_sections} {'section' if n_sections == 1 else 'sections'} of the session",
        f"left out {len(borders)} windows at the borders of these blocks",
    )
    start_s = starts / 1e9
    return Cut(Trials(start_s, start_s + settings.cut_ms / 1000, start_s, splits), said)


def _blocks(n_windows: int, share: float) -> tuple[npt.NDArray[np.str_], int]:
    """The split of each window before the borders are cleared, and the number of sections."""
    n_sections = min(max(n_windows // _SECTION, 1), _MOST_SECTIONS)
    splits = []
    for section in np.array_split(np.arange(n_windows), n_sections):
        n_val = max(2, round(share * len(section)))  # one of them may be left out at the border
        splits += ["train"] * (len(section) - 2 * n_val) + ["val"] * n_val + ["test"] * n_val
    return np.array(splits), n_sections
