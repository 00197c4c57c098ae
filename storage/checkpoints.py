"""Checkpoint files: tensors in the safetensors format, with JSON metadata in the same file."""

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar

from safetensors import SafetensorError, safe_open

from nlb_search.storage.atomic_files import atomic_file
from nlb_search.storage.database.urls import ARTIFACTS, StorageUrl
from nlb_search.storage.errors import StorageError

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

_METADATA_KEY = "facts"
T = TypeVar("T")


@dataclass(frozen=True)
class Checkpoint(Generic[T]):
    """Tensors or NumPy arrays by name, and metadata about them that can be stored as JSON."""

    tensors: dict[str, T]
    metadata: dict[str, Any]


@dataclass(frozen=True)
class Checkpoints:
    """The checkpoints of one study, in a folder that all its workers can access.

    A trial has ``running`` during its training, and ``best`` once it is complete or pruned. Networks that were trained
    again for a submission are in ``refit``, one per repetition.
    """

    folder: Path

    def running(self, number: int) -> Path:
        return self.folder / f"trial-{number:05d}-running.safetensors"

    def best(self, number: int) -> Path:
        return self.folder / f"trial-{number:05d}-best.safetensors"

    def refit(self, number: int, repeat: int) -> Path:
        return self.folder / f"trial-{number:05d}-refit-{repeat}.safetensors"

    @property
    def ties(self) -> Path:
        """The trials tied with the best one, as they were last determined."""
        return self.folder / "ties.json"

    def networks(self, number: int) -> list[Path]:
        """The existing files of a finished trial: its best network, and those that were retrained."""
        refits = self.folder.glob(f"trial-{number:05d}-refit-*.safetensors")
        return [path for path in (self.best(number), *sorted(refits)) if path.exists()]

    def forget(self, number: int) -> None:
        """Delete all checkpoints of a trial that will not be completed."""
        self.forget_running(number)
        self.best(number).unlink(missing_ok=True)

    def forget_running(self, number: int) -> None:
        """Delete the running checkpoint, and temporary files left by a worker that was killed while writing one."""
        self.running(number).unlink(missing_ok=True)
        for part in self.folder.glob(f".trial-{number:05d}-*.part"):
            part.unlink(missing_ok=True)


def default_artifacts(url: StorageUrl) -> Path:
    """The default folder for checkpoints.

    It is next to a SQLite file or to the data of a private server; for other servers, in the current directory.
    """
    if url.private_server is not None:
        return url.private_server / ARTIFACTS
    file = url.sqlite_file
    return Path("nlb-search.artifacts") if file is None else file.with_name(f"{file.name}.artifacts")


def study_folder(artifacts: Path, identity: str) -> Path:
    """The folder for the checkpoints of the study with this identity, in the folder ``artifacts`` of all studies.

    Raises StorageError if it is a symbolic link: a worker would write and delete files elsewhere.
    """
    folder = artifacts / identity
    if folder.is_symlink():
        raise StorageError(
            f"the checkpoint folder {folder} is a link to {folder.readlink()}: replace it with a real folder, "
            "or pass its target with --artifacts"
        )
    return folder


def check_folder(folder: Path) -> None:
    """Create a folder for checkpoints. Raises StorageError if it cannot be created or written to."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise StorageError(
            f"cannot write to the checkpoint folder {folder} ({error.strerror}): choose another with --artifacts"
        ) from error


def save_checkpoint(path: Path, checkpoint: "Checkpoint[Tensor]") -> None:
    """Write a checkpoint atomically. Raises StorageError if it cannot be written."""
    from safetensors.torch import save_file  # imports torch, which takes seconds

    try:
        with atomic_file(path) as part:
            save_file(checkpoint.tensors, part, metadata={_METADATA_KEY: json.dumps(checkpoint.metadata)})
    except (OSError, SafetensorError) as error:
        raise StorageError(f"cannot write the checkpoint {path}: {error}") from error


def load_checkpoint(path: Path, prefix: str = "") -> "Checkpoint[Tensor]":
    """Load a checkpoint to the CPU. With ``prefix``, load only the tensors whose names start with it.

    Raises FileNotFoundError if the file does not exist, StorageError if it is damaged or a symbolic link.
    """
    return _read(path, prefix, "pt")


def load_arrays(path: Path, prefix: str) -> "Checkpoint[np.ndarray[Any, Any]]":
    """Like ``load_checkpoint``, but with NumPy arrays, and without importing torch."""
    return _read(path, prefix, "numpy")


def _read(path: Path, prefix: str, framework: Literal["pt", "numpy"]) -> Checkpoint[Any]:
    if path.is_symlink():
        raise StorageError(f"the checkpoint {path} is a link to {path.readlink()}: replace it with the file itself")
    if not path.exists():
        raise FileNotFoundError(path)
    try:
        with safe_open(path, framework=framework) as file:
            metadata = json.loads(file.metadata()[_METADATA_KEY])
            names = [name for name in file.keys() if name.startswith(prefix)]  # noqa: SIM118
            return Checkpoint({name: file.get_tensor(name) for name in names}, metadata)
    except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
        raise StorageError(f"the checkpoint {path} is damaged: {error}") from error
