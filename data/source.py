"""The interface between the cache and each kind of recording: a content hash, and a method that makes the tensors."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy.typing as npt

from nlb_search.data.recording import Split

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Tensors:
    """Spike counts of each split, and the targets that predictions are scored against.

    ``splits`` has train, val, train_val and, if there are test trials, test. ``targets`` maps the names used in the
    benchmark's files of targets (``eval_spikes_heldout``, ``train_behavior`` and so on) to the arrays for val trials.
    ``test_targets`` is the same for test trials, or None if their targets are not available. ``choices`` describes the
    defaults that were used where neither files nor settings decide.
    """

    splits: dict[str, Split]
    targets: dict[str, Array]
    choices: tuple[str, ...] = ()
    test_targets: dict[str, Array] | None = None


class Source(Protocol):
    """The files of one recording, and how tensors are made from them."""

    @property
    def name(self) -> str:
        """Name of the dataset."""

    @property
    def bin_ms(self) -> int:
        """Bin width of the tensors."""

    @property
    def path(self) -> Path:
        """File or folder to name in messages."""

    def content_hash(self, hash_cache: Path) -> str:
        """SHA-256, in hex, of everything that determines the tensors. ``hash_cache`` is a file of known hashes."""

    def make(self) -> Tensors:
        """Make the tensors. Raises DataError if the files do not contain a complete recording."""
