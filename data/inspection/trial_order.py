"""Where the trials of train and val lie among all trials, and trials that both have: found by their spikes."""

import hashlib
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nlb_search.data.inspection.count_sums import runs
from nlb_search.data.recording import UNSEEN, Recording, Split

Places = npt.NDArray[np.intp]

TELLING = 10
"""Two trials with fewer spikes than this may be alike by chance."""


@dataclass(frozen=True, eq=False)
class TrialOrder:
    """The trials of train and of val, as their places in ``train_val``.

    Where the recording does not tell (dmfc_rsg, whose windows are moved at random in each split), trials of val are
    counted on from those of train, and ``is_known`` is False. ``shared`` are trials of val, from 0, that train has too.
    """

    train: Places
    val: Places
    is_known: bool
    shared: tuple[int, ...]


@dataclass(frozen=True)
class _Mark:
    """What a trial is known by."""

    digest: bytes
    is_telling: bool


def trial_order(recording: Recording) -> TrialOrder:
    """Find the trials of both splits by the held-in spikes of their windows."""
    train, val, both = (_marks(split) for split in (recording.train, recording.val, recording.train_val))
    trained = set(train)
    shared = tuple(number for number, mark in enumerate(val) if mark.is_telling and mark in trained)
    place = {mark: number for number, mark in enumerate(both)}
    if len(place) == len(both) and trained | set(val) <= place.keys():
        train_places, val_places = (np.array([place[mark] for mark in marks], dtype=np.intp) for marks in (train, val))
        return TrialOrder(train_places, val_places, is_known=True, shared=shared)
    return TrialOrder(np.arange(len(train)), len(train) + np.arange(len(val)), is_known=False, shared=shared)


def _marks(split: Split) -> list[_Mark]:
    marks = []
    for heldin_BWI in runs(split.heldin):
        known_BWI = np.where(heldin_BWI == UNSEEN, np.uint8(0), heldin_BWI)
        for known_WI in known_BWI:
            is_telling = bool(known_WI.sum(dtype=np.int64) >= TELLING)
            marks.append(_Mark(hashlib.blake2b(known_WI.tobytes(), digest_size=16).digest(), is_telling))
    return marks
