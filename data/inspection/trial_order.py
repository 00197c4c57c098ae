"""Matching trials by their spikes: the order of train and val trials, and trials that are in both."""

import hashlib
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nlb_search.data.inspection.count_sums import runs
from nlb_search.data.recording import UNSEEN, Recording, Split

Indices = npt.NDArray[np.intp]

MIN_SPIKES_TO_COMPARE = 10
"""Trials with fewer spikes than this may be equal by chance."""


@dataclass(frozen=True, eq=False)
class TrialOrder:
    """The indices of the trials of train and of val in ``train_val``.

    If they cannot be found (in dmfc_rsg, whose windows have random delays in each split), ``is_known`` is False, and
    val is assumed to follow train. ``shared`` has the trials of val, counted from 0, that are also in train.
    """

    train: Indices
    val: Indices
    is_known: bool
    shared: tuple[int, ...]


@dataclass(frozen=True)
class _Mark:
    """A digest of a trial's spikes, and whether it has enough spikes to be compared."""

    digest: bytes
    is_comparable: bool


def trial_order(recording: Recording) -> TrialOrder:
    """Match the trials of train and val with those of ``train_val``, by the held-in spikes in their windows."""
    train, val, both = (_marks(split) for split in (recording.train, recording.val, recording.train_val))
    trained = set(train)
    shared = tuple(number for number, mark in enumerate(val) if mark.is_comparable and mark in trained)
    index = {mark: number for number, mark in enumerate(both)}
    if len(index) == len(both) and trained | set(val) <= index.keys():
        train_order, val_order = (np.array([index[mark] for mark in marks], dtype=np.intp) for marks in (train, val))
        return TrialOrder(train_order, val_order, is_known=True, shared=shared)
    return TrialOrder(np.arange(len(train)), len(train) + np.arange(len(val)), is_known=False, shared=shared)


def _marks(split: Split) -> list[_Mark]:
    marks = []
    for heldin_BWI in runs(split.heldin):
        known_BWI = np.where(heldin_BWI == UNSEEN, np.uint8(0), heldin_BWI)
        for known_WI in known_BWI:
            is_comparable = bool(known_WI.sum(dtype=np.int64) >= MIN_SPIKES_TO_COMPARE)
            marks.append(_Mark(hashlib.blake2b(known_WI.tobytes(), digest_size=16).digest(), is_comparable))
    return marks
