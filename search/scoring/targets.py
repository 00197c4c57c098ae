"""Targets of the metrics other than bits per spike: behaviour and trial averages, in the format of nlb_tools."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt
import torch

from nlb_search.data.recording import Recording
from nlb_search.models.scoring.interval_correlation import IntervalTargets
from nlb_search.models.scoring.psth import PsthTargets
from nlb_search.models.scoring.velocity_decoding import VelocityTargets
from nlb_search.search.errors import SearchError

Array = npt.NDArray[Any]
Arrays = dict[str, Array]

_CONDITION_COLUMNS = 3
"""The first columns of dmfc_rsg's behaviour are the conditions of its intervals, as in nlb_tools."""

_INTERVALS = "eval_intervals"
"""The produced intervals of your own recording, trials x (conditions, and the interval)."""


@dataclass(frozen=True)
class Targets:
    """Targets of a recording's val trials, on the device; None for kinds that the recording lacks.

    ``velocities`` are those of train, to fit the decoder, and those of val, to score it.
    """

    velocities: tuple[VelocityTargets, VelocityTargets] | None = None
    averages: PsthTargets | None = None
    timing: IntervalTargets | None = None


def targets_of(recording: Recording, device: torch.device) -> Targets:
    """Read the targets of the recording's val trials."""
    return targets_from(scorable(read_group(recording.val_targets, recording.group)), device)


def targets_from(arrays: Arrays, device: torch.device) -> Targets:
    """The targets in the ``scorable`` arrays of a group."""

    def tensor(array: Array) -> torch.Tensor:
        return torch.from_numpy(array).to(device)

    def velocity(prefix: str) -> VelocityTargets:
        behavior = arrays[f"{prefix}_behavior"]
        decoders = arrays.get(f"{prefix}_decode_mask", np.ones((len(behavior), 1)))
        return VelocityTargets(tensor(behavior), tensor(decoders.astype(bool)))

    averages = None
    if "psth" in arrays:
        n_trials = len(arrays["eval_spikes_heldout"])
        averages = PsthTargets(
            psth_KWN=tensor(arrays["psth"]),
            trials=tuple(tensor(trials.astype(int)) for trials in arrays["eval_cond_idx"]),
            jitter_B=tensor(arrays.get("eval_jitter", np.zeros(n_trials)).astype(int)),
        )
    velocities, timing, behavior = None, None, arrays.get("eval_behavior")
    if behavior is not None and behavior.ndim == 3:
        velocities = velocity("train"), velocity("eval")
    elif behavior is not None:  # dmfc_rsg: its held-out spikes are known in the interval only
        inside = ~np.isnan(arrays["eval_spikes_heldout"][..., 0])
        timing = IntervalTargets(tensor(inside), tensor(behavior[:, :_CONDITION_COLUMNS]), tensor(behavior[:, -1]))
    if _INTERVALS in arrays:
        intervals, inside = arrays[_INTERVALS], arrays["eval_interval_bins"].astype(bool)
        timing = IntervalTargets(tensor(inside), tensor(intervals[:, :-1]), tensor(intervals[:, -1]))
    return Targets(velocities, averages, timing)


def read_group(path: Path, group: str) -> Arrays:
    """The arrays of one group of an HDF5 file. Raises SearchError if the file cannot be read or lacks the group."""
    try:
        with h5py.File(path, "r") as file:
            if group not in file:
                raise SearchError(f"{path} has no group '{group}' (it has {', '.join(file) or 'none'})")
            return {name: array[()] for name, array in file[group].items()}
    except OSError as error:
        raise SearchError(f"cannot read {path} as an HDF5 file: {why_unreadable(error)}") from error


def why_unreadable(error: OSError) -> str:
    """Why a file cannot be read: the system's error message without h5py's internals."""
    return os.strerror(error.errno) if error.errno else str(error)


def scorable(targets: Arrays) -> Arrays:
    """The targets without groups of trials that are too small to score, on which nlb_tools would fail."""
    targets = dict(targets)
    if "train_decode_mask" in targets:
        decodable = targets["train_decode_mask"].any(axis=0) & targets["eval_decode_mask"].any(axis=0)
        for name in ("train_decode_mask", "eval_decode_mask"):
            targets[name] = targets[name][:, decodable]
    if "eval_behavior" in targets and targets["eval_behavior"].ndim == 2:
        targets["eval_behavior"] = _correlated(targets["eval_behavior"], _CONDITION_COLUMNS)
    if _INTERVALS in targets:
        targets[_INTERVALS] = _correlated(targets[_INTERVALS], -1)
    if "psth" in targets and not any(len(trials) for trials in targets["eval_cond_idx"]):
        del targets["psth"]
    return targets


def _correlated(trials: Array, n_columns: int) -> Array:
    """Produced intervals (the last column), with NaN for the trials of conditions whose intervals are all equal, which
    have no correlation. The conditions are the values of the first ``n_columns``.
    """
    conditions = trials[:, :n_columns]
    vary = [len(np.unique(trials[(conditions == one).all(axis=1), -1])) > 1 for one in conditions]
    return np.where(np.array(vary)[:, None], trials, np.nan)
