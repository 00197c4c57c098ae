"""Finding a dataset's NWB files below the ``--data`` folder, and checking that they belong to the dataset."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nlb_search.data.datasets import DATASETS, Dataset, Layout
from nlb_search.data.errors import DataError

if TYPE_CHECKING:
    import h5py

PUBLIC_TARGETS = "eval_data_test.h5"
"""Name of the benchmark's file of test targets, in the ``--data`` folder."""

_TIMES = {"start_time", "stop_time", "split"}
_UNIT_COLUMNS = {"heldout", "obs_intervals", "obs_intervals_index", "spike_times", "spike_times_index"}
_SCORED_COLUMNS: dict[Layout, set[str]] = {
    "maze": {"trial_type", "trial_version"},
    "random-target": set(),
    "bump": {"cond_dir", "ctr_hold_bump"},
    "timing": {"set_time", "is_eye", "theta", "is_short", "ts", "tp", "is_outlier"},
}
"""Columns of the trial table that are needed only to score validation trials."""


def train_columns(dataset: Dataset) -> set[str]:
    """Columns of the trial table that a training file must have."""
    return _TIMES | {dataset.align_field} | _SCORED_COLUMNS[dataset.layout]


def window_columns(dataset: Dataset) -> set[str]:
    """Columns of the trial table that a test file must have."""
    return _TIMES | {dataset.align_field}


@dataclass(frozen=True)
class RecordingFiles:
    """NWB files of one recording. ``train`` has the training and validation trials, ``test`` the test trials."""

    train: Path
    test: Path | None


def find_files(dataset: Dataset, data: Path) -> RecordingFiles:
    """Find the NWB files of a dataset. File names must contain 'train' or 'test'.

    The folders searched are ``<data>/<dataset>/`` and ``<data>/<DANDI id>/`` (as in DANDI's layout,
    ``<data>/000129/sub-Indy/``) with all their subfolders, and ``<data>`` with its ``sub-*`` folders. The first of them
    that has NWB files is used.

    Raises DataError unless that folder has exactly one training file and at most one test file.
    """
    for folder, found in _searched_folders(dataset, data):
        if found:
            return _train_and_test(dataset, folder, found)
    searched = ", ".join(str(folder) for folder, _ in _searched_folders(dataset, data))
    raise DataError(
        f"no NWB files of {dataset.name} in {searched}\n"
        f"download them from DANDI:{dataset.dandi_id} with `nlb-search fetch {dataset.name}`, or make a synthetic "
        f"recording with `nlb-search synthesize {dataset.name}`"
    )


def has_files(dataset: Dataset, data: Path) -> bool:
    """Whether one of the folders that ``find_files`` searches has NWB files."""
    return any(found for _, found in _searched_folders(dataset, data))


def _searched_folders(dataset: Dataset, data: Path) -> Iterator[tuple[Path, list[Path]]]:
    for folder in (data / dataset.name, data / dataset.dandi_id):
        yield folder, _visible(folder.rglob("*.nwb"))
    yield data, _visible([*data.glob("*.nwb"), *data.glob("sub-*/*.nwb")])


def _visible(paths: Iterator[Path] | list[Path]) -> list[Path]:
    # macOS may create a '._name.nwb' next to each file.
    return sorted(path for path in paths if not path.name.startswith("."))


def _train_and_test(dataset: Dataset, folder: Path, found: list[Path]) -> RecordingFiles:
    # Check for 'train' first: a name such as 'latest_train.nwb' also contains 'test'.
    train = [path for path in found if "train" in path.name.lower()]
    test = [path for path in found if "test" in path.name.lower() and path not in train]
    if len(train) != 1 or len(test) > 1:
        names = ", ".join(str(path.relative_to(folder)) for path in found)
        raise DataError(
            f"{folder} has {len(train)} training and {len(test)} test files: {names}\n"
            f"keep exactly one file of {dataset.name} with 'train' in its name, and at most one with 'test'"
        )
    return RecordingFiles(train=train[0], test=test[0] if test else None)


@dataclass(frozen=True)
class Contents:
    """Names of what an NWB file contains: the columns of its trial and unit tables, and its time series.

    ``series`` maps the name that nlb_tools gives a time series to its HDF5 path, ``series_paths`` to the paths of all
    time series of this name; the first of them is that in ``series``, as in nlb_tools.
    """

    path: Path
    trials: frozenset[str]
    units: frozenset[str]
    series: Mapping[str, str]
    series_paths: Mapping[str, tuple[str, ...]]
    flagged: bool
    """Whether the unit column ``heldout`` is boolean."""

    def check_train(self, dataset: Dataset) -> None:
        """Raises DataError, which lists what is missing, if this cannot be the training file of ``dataset``."""
        missing = self._missing(dataset)
        if missing:
            others = (other for other in DATASETS.values() if other.layout != dataset.layout)
            resembled = next((other.name for other in others if not self._missing(other)), None)
            guess = f"; it looks like a recording of {resembled}" if resembled else ""
            raise DataError(
                f"{self.path} is not a training file of {dataset.name}: no {', no '.join(missing)}{guess}\n"
                f"check the name of the dataset, or download DANDI:{dataset.dandi_id} again"
            )

    def check_test(self, dataset: Dataset) -> None:
        """Raises DataError, which lists what is missing, if this cannot be the test file of ``dataset``."""
        missing = self._missing_tables(window_columns(dataset))
        if missing:
            raise DataError(
                f"{self.path} is not a test file of {dataset.name}: no {', no '.join(missing)}\n"
                f"download DANDI:{dataset.dandi_id} again, or remove the file to continue without test trials"
            )

    def _missing(self, dataset: Dataset) -> list[str]:
        missing = self._missing_tables(train_columns(dataset))
        if dataset.behavior is not None and dataset.behavior not in self.series:
            missing.append(f"time series '{dataset.behavior}'")
        return missing

    def _missing_tables(self, columns: set[str]) -> list[str]:
        missing = [f"trial column '{name}'" for name in sorted(columns - self.trials)]
        missing += [f"unit column '{name}'" for name in sorted(_UNIT_COLUMNS - self.units)]
        if "heldout" in self.units and not self.flagged:
            missing.append("boolean values in unit column 'heldout'")
        return missing


def read_contents(path: Path) -> Contents:
    """Read the names of what an NWB file contains. Raises DataError if it is not a complete HDF5 file."""
    # Imported here: opening a prepared recording imports this module, but does not need HDF5.
    import h5py

    from nlb_search.data.hdf5_file import known_cause

    try:
        with h5py.File(path, "r") as file:
            return contents_of(path, file)
    except OSError as error:
        raise DataError(
            known_cause(path, error)
            or f"{path} is not a complete NWB file ({str(error).splitlines()[0]})\n"
            "it may be truncated or replaced: fetch it again"
        ) from error


def contents_of(path: Path, file: "h5py.File") -> Contents:
    """The names of what an open NWB file contains."""
    import h5py

    paths: dict[str, list[str]] = {}

    def note(name: str, item: Any) -> None:
        if isinstance(item, h5py.Group) and "data" in item and ("timestamps" in item or "starting_time" in item):
            # nlb_tools prefixes the name of a series with the name of the container it is in.
            container, _, own = f"/{name}".rpartition("/")
            paths.setdefault(own, []).append(name)
            paths.setdefault(f"{container.rpartition('/')[2]}_{own}", []).append(name)

    file.visititems(note)
    trials = frozenset(file.get("intervals/trials", ()))
    units = frozenset(file.get("units", ()))
    flagged = "heldout" in units and file["units/heldout"].dtype == bool
    series = {name: found[0] for name, found in paths.items()}
    return Contents(path, trials, units, series, {name: tuple(found) for name, found in paths.items()}, flagged)
