"""The NWB files of a dataset: where they lie below the folder of ``--data``, and whether they can be its files."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nlb_search.data.datasets import DATASETS, Dataset, Layout
from nlb_search.data.errors import DataError

PUBLIC_TARGETS = "eval_data_test.h5"
"""The benchmark's file of test targets, in the folder of ``--data``."""

_TIMES = {"start_time", "stop_time", "split"}
_UNIT_COLUMNS = {"heldout", "obs_intervals", "obs_intervals_index", "spike_times", "spike_times_index"}
_SCORED_COLUMNS: dict[Layout, set[str]] = {
    "maze": {"trial_type", "trial_version"},
    "random-target": set(),
    "bump": {"cond_dir", "ctr_hold_bump"},
    "timing": {"set_time", "is_eye", "theta", "is_short", "ts", "tp", "is_outlier"},
}
"""Columns of the trial table that only the scores of validation trials need."""


def train_columns(dataset: Dataset) -> set[str]:
    """The columns of a training file's trial table that tensors are made from."""
    return _TIMES | {dataset.align_field} | _SCORED_COLUMNS[dataset.layout]


def window_columns(dataset: Dataset) -> set[str]:
    """The columns of a test file's trial table that tensors are made from."""
    return _TIMES | {dataset.align_field}


@dataclass(frozen=True)
class RecordingFiles:
    """The NWB files of one recording: training and validation trials, and the test trials where there are any."""

    train: Path
    test: Path | None


def find_files(dataset: Dataset, data: Path) -> RecordingFiles:
    """The NWB files of a dataset, told apart by 'train' or 'test' in their names.

    They may lie anywhere below ``<data>/<dataset>/``, in DANDI's layout (``<data>/000129/sub-Indy/``), or in
    ``<data>`` itself or a ``sub-*`` folder of it; the first of these places that has NWB files counts.

    Raises DataError if there are none, or not exactly one training file and at most one test file.
    """
    for place, found in _places(dataset, data):
        if found:
            return _train_and_test(dataset, place, found)
    looked = ", ".join(str(place) for place, _ in _places(dataset, data))
    raise DataError(
        f"no NWB files of {dataset.name} in {looked}\n"
        f"download them from DANDI:{dataset.dandi_id} with `nlb-search fetch {dataset.name}`, or make a synthetic "
        f"recording with `nlb-search synthesize {dataset.name}`"
    )


def _places(dataset: Dataset, data: Path) -> Iterator[tuple[Path, list[Path]]]:
    for folder in (data / dataset.name, data / dataset.dandi_id):
        yield folder, _visible(folder.rglob("*.nwb"))
    yield data, _visible([*data.glob("*.nwb"), *data.glob("sub-*/*.nwb")])


def _visible(paths: Iterator[Path] | list[Path]) -> list[Path]:
    # A file manager may leave its own '._name.nwb' beside each file.
    return sorted(path for path in paths if not path.name.startswith("."))


def _train_and_test(dataset: Dataset, place: Path, found: list[Path]) -> RecordingFiles:
    # 'train' goes first: a name such as 'latest_train.nwb' contains 'test' as well.
    train = [path for path in found if "train" in path.name.lower()]
    test = [path for path in found if "test" in path.name.lower() and path not in train]
    if len(train) != 1 or len(test) > 1:
        names = ", ".join(str(path.relative_to(place)) for path in found)
        raise DataError(
            f"{place} has {len(train)} training and {len(test)} test files: {names}\n"
            f"leave exactly one file of {dataset.name} with 'train' in its name, and at most one with 'test'"
        )
    return RecordingFiles(train=train[0], test=test[0] if test else None)


@dataclass(frozen=True)
class Contents:
    """The columns of an NWB file's trial and unit tables, and where its time series lie.

    ``series`` has the place of each series in the file by the name that nlb_tools gives it.
    """

    path: Path
    trials: frozenset[str]
    units: frozenset[str]
    series: Mapping[str, str]
    flagged: bool
    """Whether the units' ``heldout`` column is true or false, not a number."""

    def check_train(self, dataset: Dataset) -> None:
        """Raises DataError, with what is missing, unless this can be the training file of ``dataset``."""
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
        """Raises DataError, with what is missing, unless this can be the test file of ``dataset``."""
        missing = self._missing_tables(window_columns(dataset))
        if missing:
            raise DataError(
                f"{self.path} is not a test file of {dataset.name}: no {', no '.join(missing)}\n"
                f"download DANDI:{dataset.dandi_id} again, or take it away to go without test trials"
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
            missing.append("true or false in unit column 'heldout'")
        return missing


def read_contents(path: Path) -> Contents:
    """What an NWB file holds, by its names alone. Raises DataError if it is not a whole HDF5 file."""
    # Imported here: to open a prepared recording, which only finds files, needs no HDF5.
    import h5py

    series: dict[str, str] = {}

    def note(name: str, item: Any) -> None:
        if isinstance(item, h5py.Group) and "data" in item and ("timestamps" in item or "starting_time" in item):
            # nlb_tools puts the container's name before the names of series in a container.
            container, _, own = f"/{name}".rpartition("/")
            series.setdefault(own, name)
            series.setdefault(f"{container.rpartition('/')[2]}_{own}", name)

    try:
        with h5py.File(path, "r") as file:
            file.visititems(note)
            trials = frozenset(file.get("intervals/trials", ()))
            units = frozenset(file.get("units", ()))
            flagged = "heldout" in units and file["units/heldout"].dtype == bool
    except OSError as error:
        raise DataError(
            f"{path} is not a whole NWB file ({str(error).splitlines()[0]})\n"
            f"it may have been cut off or replaced: fetch it again"
        ) from error
    return Contents(path, trials, units, series, flagged)
