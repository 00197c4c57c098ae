"""What the prepared cache asks of a kind of recording: what its content is known by, and its tensors."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy.typing as npt

from nlb_search.data.recording import Split

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Tensors:
    """The spike counts of each split by its name, and what the predictions of val trials are scored against.

    ``splits`` has train, val and train_val, and test where there are test trials. ``targets`` are arrays by the names
    that the benchmark's file of targets has (``eval_spikes_heldout``, ``train_behavior`` and so on). ``choices`` says
    in words what was decided where neither files nor settings say; ``test_targets`` are those of test trials, where
    the recording knows them.
    """

    splits: dict[str, Split]
    targets: dict[str, Array]
    choices: tuple[str, ...] = ()
    test_targets: dict[str, Array] | None = None


class Source(Protocol):
    """The files of one recording, and how tensors are made of them."""

    @property
    def name(self) -> str:
        """The dataset's name."""

    @property
    def bin_ms(self) -> int:
        """The width of the bins that the tensors are to have."""

    @property
    def place(self) -> Path:
        """The file or folder that a message names."""

    def content_hash(self, memory: Path) -> str:
        """SHA-256, in hex, of all that decides the tensors; ``memory`` remembers the hashes of files."""

    def make(self) -> Tensors:
        """The tensors. Raises DataError for files that do not give whole ones."""
