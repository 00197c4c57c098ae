"""Writes and checks submission files in the format of the benchmark.

A submission is an HDF5 file with one group per dataset (``mc_rtt``, or ``mc_rtt_20`` for 20 ms bins). Each group
contains predicted rates in spikes per bin. ``nlb_tools.evaluation.evaluate`` reads this format.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import h5py
import numpy as np
import numpy.typing as npt

from nlb_search.data.recording import UNSEEN, Recording, Split
from nlb_search.search.ensembles.weighted_networks import Rates
from nlb_search.search.errors import SearchError
from nlb_search.search.export_options import Phase
from nlb_search.storage.atomic_files import atomic_file

Integers = npt.NDArray[np.int64]

SETTINGS, CONTENT = "recording", "content_hash"
"""Attributes of a group of your own recording: the settings for reading it, as JSON, and its content hash."""

MAX_RATE_RATIO = 3.0
"""Maximum factor between the mean predicted rate and the mean count of the same neurons and bins.

Rates in spikes per second differ by a factor of 200 in 5 ms bins and 50 in 20 ms bins, and rates for the wrong one of
these bin widths by a factor of 4.
"""


@dataclass(frozen=True)
class Prediction:
    """Predictions for one recording in one phase: rates in spikes per bin, trials x bins x neurons.

    ``ids`` are further datasets, which say by what ids or rows the neurons and trials are known in the recording's
    files. nlb_tools does not read them.
    ``train_rates`` and ``eval_rates`` contain all neurons, held-in before held-out, in window and forward bins. Their
    trials are train and val in phase val, and train + val and test in phase test.
    """

    recording: Recording
    phase: Phase
    train_rates: Rates
    eval_rates: Rates
    ids: Mapping[str, Integers] = field(default_factory=dict)

    def arrays(self) -> dict[str, Rates]:
        """The arrays of the benchmark's format, by name."""
        return _cut("train", self.train_rates, self.recording) | _cut("eval", self.eval_rates, self.recording)


def phase_splits(recording: Recording, phase: Phase) -> tuple[Split, Split]:
    """The split to train on and the split to evaluate in a phase. Raises SearchError if there is no test split."""
    if phase == "val":
        return recording.train, recording.val
    if recording.test is None:
        raise SearchError(
            f"the recording of {recording.name} has no test trials: export for --phase val, "
            "or create the study again from files with test trials"
        )
    return recording.train_val, recording.test


def write_submission(path: Path, predictions: list[Prediction], facts: Mapping[str, Mapping[str, str]]) -> None:
    """Write a submission with one group per recording, check it, and then rename it to ``path``.

    ``facts`` are the attributes of each group, by name of the group. Raises SearchError, and leaves an existing file
    unchanged, if a check fails or ``path`` cannot be written.
    """
    try:
        with atomic_file(path) as part:
            with h5py.File(part, "w") as file:
                for prediction in predictions:
                    group = file.create_group(prediction.recording.group)
                    group.attrs["phase"] = prediction.phase
                    group.attrs.update(facts[prediction.recording.group])
                    for name, rates in prediction.arrays().items():
                        group.create_dataset(name, data=rates, compression="gzip", shuffle=True)
                    for name, numbers in prediction.ids.items():
                        group.create_dataset(name, data=numbers)
            for prediction in predictions:
                check_submission(part, prediction.recording, prediction.phase)
    except OSError as error:
        raise SearchError(f"cannot write {path}: {error.strerror or error}") from error


def is_submission(path: Path) -> bool:
    """Whether a file is an HDF5 file whose groups all contain predicted rates."""
    try:
        with h5py.File(path, "r") as file:
            return all("eval_rates_heldout" in group for group in file.values())
    except (OSError, TypeError):
        return False


def check_submission(path: Path, recording: Recording, phase: Phase) -> None:
    """Check the recording's group: names and shapes of arrays, and finite, positive rates in spikes per bin.

    Raises SearchError, with the array and the value, at the first failed check.
    """
    trained, evaluated = phase_splits(recording, phase)
    with h5py.File(path, "r") as file:
        if recording.group not in file:
            raise SearchError(f"{path} has no group '{recording.group}' (it has {', '.join(file) or 'none'})")
        group = file[recording.group]
        for prefix, split in (("train", trained), ("eval", evaluated)):
            for name, shape in _shapes(prefix, split.n_trials, recording).items():
                if name not in group:
                    raise SearchError(f"{recording.group} in {path} has no array '{name}'")
                _check_array(f"{recording.group}/{name}", group[name][()], shape, _mean_count(name, recording))


def _check_array(name: str, rates: Rates, shape: tuple[int, ...], mean_count: float) -> None:
    if rates.shape != shape:
        raise SearchError(f"{name} has the shape {rates.shape}, and the recording needs {shape}")
    if not np.isfinite(rates).all():
        raise SearchError(f"{name} has {np.count_nonzero(~np.isfinite(rates))} rates that are not finite")
    if not (rates > 0).all():
        raise SearchError(f"{name} has {np.count_nonzero(rates <= 0)} rates that are not positive")
    mean_rate = float(rates.mean(dtype=np.float64))
    if not mean_count / MAX_RATE_RATIO <= mean_rate <= mean_count * MAX_RATE_RATIO:
        raise SearchError(
            f"{name} has a mean of {mean_rate:.3g}, but these neurons fire {mean_count:.3g} spikes per bin: "
            "rates must be in spikes per bin"
        )


def _mean_count(name: str, recording: Recording) -> float:
    """Mean count of an array's neurons and bins over train and val, in spikes per bin."""
    split = recording.train_val
    counts = getattr(split, name.partition("_rates_")[2])
    return float(counts[counts != UNSEEN].mean(dtype=np.float64))


def _cut(prefix: str, rates: Rates, recording: Recording) -> dict[str, Rates]:
    """Split rates of all neurons and bins into the arrays of the benchmark's format."""
    arrays, start = {}, 0
    for ending, n_bins in _bins(recording).items():
        part = rates[:, start : start + n_bins]
        arrays[f"{prefix}_rates_heldin{ending}"] = part[:, :, : recording.n_heldin]
        arrays[f"{prefix}_rates_heldout{ending}"] = part[:, :, recording.n_heldin :]
        start += n_bins
    return arrays


def _bins(recording: Recording) -> dict[str, int]:
    """Number of bins by ending of the array name; a recording without forward bins has no forward arrays."""
    bins = {"": recording.n_window_bins, "_forward": recording.n_forward_bins}
    return {ending: n_bins for ending, n_bins in bins.items() if n_bins}


def _shapes(prefix: str, n_trials: int, recording: Recording) -> dict[str, tuple[int, int, int]]:
    neurons = {"heldin": recording.n_heldin, "heldout": recording.n_heldout}
    return {
        f"{prefix}_rates_{kind}{ending}": (n_trials, n_bins, n_neurons)
        for ending, n_bins in _bins(recording).items()
        for kind, n_neurons in neurons.items()
    }
