"""The ceiling of a synthetic recording, in the file beside it."""

from dataclasses import dataclass
from pathlib import Path

from nlb_search.data.errors import DataError

GROUP = "truth"
"""Group of the file that holds what is known of the recording. The ceiling is in its attributes."""


@dataclass(frozen=True)
class Ceiling:
    """Scores in bits per spike of an observer that knows the true model: no model is expected to exceed them."""

    co_bps_val: float
    co_bps_test: float
    fp_bps_val: float
    fp_bps_test: float


def read_ceiling(truth_path: Path) -> Ceiling:
    """Read the ceiling from a file ``<dataset>_truth.h5``. Raises DataError if it is not such a file."""
    import h5py  # not for recordings that are not synthetic

    try:
        with h5py.File(truth_path) as file:
            attributes = file[GROUP].attrs
            return Ceiling(**{name: float(attributes[name]) for name in Ceiling.__dataclass_fields__})
    except (OSError, KeyError) as error:
        raise DataError(
            f"cannot read the ceiling from {truth_path} ({error}): give a *_truth.h5 file of `nlb-search synthesize`"
        ) from error


def find_ceiling(dataset: str, data: Path) -> Ceiling | None:
    """The ceiling of a synthetic recording in the folder ``data``; None if the recording is not synthetic."""
    places = (data / dataset / f"{dataset}_truth.h5", data / f"{dataset}_truth.h5")
    return next((read_ceiling(path) for path in places if path.is_file()), None)
