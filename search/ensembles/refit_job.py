"""A network to retrain on train + val, and where it is stored."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from nlb_search.search.study.specification import SearchSpec
from nlb_search.storage.checkpoints import Checkpoint, load_checkpoint
from nlb_search.storage.errors import StorageError


@dataclass(frozen=True)
class RefitJob:
    """The settings of trial ``number`` of a study, to train for ``epochs`` epochs with ``seed``.

    ``study`` is the study's name, ``spec`` its specification and ``data`` the path of its recording. ``co_bps`` is the
    score of the trial's own network on val. ``path`` is where the network is stored.
    """

    study: str
    spec: SearchSpec
    data: Path
    number: int
    settings: dict[str, Any]
    epochs: int
    seed: int
    co_bps: float
    path: Path

    @property
    def name(self) -> str:
        """The trial, for messages."""
        return f"{self.study}: trial {self.number}"

    @property
    def running(self) -> Path:
        """Where the training is stored until it is done."""
        return self.path.with_name(f"{self.path.stem}-running{self.path.suffix}")

    @property
    def identity(self) -> dict[str, Any]:
        """What the network depends on. A stored network of anything else is not used."""
        return {
            "settings": self.settings,
            "epochs": self.epochs,
            "seed": self.seed,
            "batch_size": self.spec.batch_size,
            "content_hash": self.spec.content_hash,
            "versions": self.spec.versions,
        }


def stored(path: Path, identity: dict[str, Any]) -> Checkpoint[Tensor] | None:
    """The checkpoint at ``path``, or None if it is missing, damaged or of another identity."""
    try:
        checkpoint = load_checkpoint(path)
    except (FileNotFoundError, StorageError):
        return None
    return checkpoint if checkpoint.metadata.get("identity") == identity else None
