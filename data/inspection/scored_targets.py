"""Targets of val trials other than spikes: behaviour, trial averages and produced intervals."""

from dataclasses import dataclass
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from nlb_search.data.errors import DataError
from nlb_search.data.recording import Recording

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Behavior:
    """Behaviour that is decoded from rates.

    The shapes are trials x bins x dimensions, or trials x columns if each trial has one value per column (dmfc_rsg).
    ``train_missing`` and ``val_missing`` are the fractions that are NaN. ``constant`` has the dimensions that are
    constant in train.
    """

    train_shape: tuple[int, ...]
    val_shape: tuple[int, ...]
    train_missing: float
    val_missing: float
    constant: tuple[int, ...]

    @property
    def is_series(self) -> bool:
        """Whether behaviour is a time series, which is decoded bin by bin."""
        return len(self.val_shape) == 3


@dataclass(frozen=True)
class Conditions:
    """Number of conditions with trial averages, and number of those without trials in val."""

    n: int
    n_without_val: int


@dataclass(frozen=True)
class Produced:
    """The produced intervals of your own recording that are scored in val: their number, that of their conditions, and
    their range in milliseconds.
    """

    n_trials: int
    n_conditions: int
    least_ms: float
    most_ms: float


@dataclass(frozen=True)
class ScoredTargets:
    """The targets of val other than spikes; None for kinds that the recording lacks."""

    behavior: Behavior | None
    conditions: Conditions | None
    produced: Produced | None


def read_scored(recording: Recording) -> ScoredTargets:
    """Read them from the recording's file of targets. Raises DataError if the file cannot be read."""
    try:
        with h5py.File(recording.val_targets, "r") as file:
            group = file.get(recording.group, {})
            return ScoredTargets(_behavior(group), _conditions(group), _produced(group))
    except OSError as error:
        raise DataError(
            f"cannot read the targets of {recording.name} at {recording.val_targets}: remove its folder to prepare the "
            f"recording again"
        ) from error


def _behavior(group: Any) -> Behavior | None:
    if "train_behavior" not in group or "eval_behavior" not in group:
        return None
    train, val = (np.asarray(group[name][()], dtype=float) for name in ("train_behavior", "eval_behavior"))
    flat = train.reshape(-1, train.shape[-1])
    constant = [column for column, values in enumerate(flat.T) if np.unique(values[~np.isnan(values)]).size < 2]
    return Behavior(
        train_shape=train.shape,
        val_shape=val.shape,
        train_missing=float(np.isnan(train).mean()),
        val_missing=float(np.isnan(val).mean()),
        constant=tuple(constant),
    )


def _produced(group: Any) -> Produced | None:
    if "eval_intervals" not in group:
        return None
    values = group["eval_intervals"][()]
    known = values[~np.isnan(values).any(axis=1)]
    n_conditions = len(np.unique(known[:, :-1], axis=0))
    return Produced(len(known), n_conditions, float(known[:, -1].min()), float(known[:, -1].max()))


def _conditions(group: Any) -> Conditions | None:
    if "psth" not in group or "eval_cond_idx" not in group:
        return None
    members = group["eval_cond_idx"][()]
    return Conditions(len(members), sum(len(trials) == 0 for trials in members))
