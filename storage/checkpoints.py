"""Checkpoints beside the database: tensors as safetensors, with the facts about them as JSON in the same file."""

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from safetensors import SafetensorError, safe_open

from nlb_search.storage.atomic_files import whole_file
from nlb_search.storage.database.urls import ARTIFACTS, StorageUrl
from nlb_search.storage.errors import StorageError

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

_FACTS_KEY = "facts"


@dataclass(frozen=True)
class Checkpoint:
    """Tensors by name, and what they are: plain values that JSON can hold."""

    tensors: "dict[str, Tensor]"
    facts: dict[str, Any]


@dataclass(frozen=True)
class Checkpoints:
    """The checkpoints of one study, in a folder that all its workers reach.

    A trial has at most two: ``running`` while it is trained, and ``best`` once it is complete.
    """

    folder: Path

    def running(self, number: int) -> Path:
        return self.folder / f"trial-{number:05d}-running.safetensors"

    def best(self, number: int) -> Path:
        return self.folder / f"trial-{number:05d}-best.safetensors"

    def forget(self, number: int) -> None:
        """Remove all checkpoints of a trial that will never be complete."""
        self.forget_running(number)
        self.best(number).unlink(missing_ok=True)

    def forget_running(self, number: int) -> None:
        """Remove the running checkpoint, and what a worker that was killed while writing left of one."""
        self.running(number).unlink(missing_ok=True)
        for part in self.folder.glob(f".trial-{number:05d}-*.part"):
            part.unlink(missing_ok=True)


def default_artifacts(url: StorageUrl) -> Path:
    """Where checkpoints lie unless told otherwise: beside a SQLite file or a private server's data, else here."""
    if url.private_server is not None:
        return url.private_server / ARTIFACTS
    file = url.sqlite_file
    return Path("nlb-search.artifacts") if file is None else file.with_name(f"{file.name}.artifacts")


def study_folder(artifacts: Path, name: str) -> Path:
    """The folder of a study's checkpoints in the folder ``artifacts`` of all studies.

    Raises StorageError if it is a symbolic link: what a worker writes and removes there would be somewhere else.
    """
    folder = artifacts / name
    if folder.is_symlink():
        raise StorageError(
            f"the folder of checkpoints {folder} is a link to {folder.readlink()}: put a folder in its place, "
            "or name the place itself with --artifacts"
        )
    return folder


def check_folder(folder: Path) -> None:
    """Make the folder of a study's checkpoints. Raises StorageError if it cannot be made or written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise StorageError(
            f"the folder of checkpoints {folder} cannot be written ({error.strerror}): name another with --artifacts"
        ) from error


def save_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint, whole or not at all. Raises StorageError when the disk does not take it."""
    from safetensors.torch import save_file  # imports torch, which takes seconds

    try:
        with whole_file(path) as part:
            save_file(checkpoint.tensors, part, metadata={_FACTS_KEY: json.dumps(checkpoint.facts)})
    except (OSError, SafetensorError) as error:
        raise StorageError(f"cannot write the checkpoint {path}: {error}") from error


def load_checkpoint(path: Path, prefix: str = "") -> Checkpoint:
    """Read a checkpoint, or its tensors whose names begin with ``prefix``, to the CPU.

    Raises FileNotFoundError if there is none, StorageError if it is damaged or a symbolic link.
    """
    tensors, facts = _read(path, prefix, "pt")
    return Checkpoint(tensors, facts)


def load_arrays(path: Path, prefix: str) -> "tuple[dict[str, np.ndarray[Any, Any]], dict[str, Any]]":
    """The tensors of ``load_checkpoint`` as NumPy arrays, read without torch, and the facts. Raises as it does."""
    return _read(path, prefix, "numpy")


def _read(path: Path, prefix: str, framework: Literal["pt", "numpy"]) -> tuple[dict[str, Any], dict[str, Any]]:
    if path.is_symlink():
        raise StorageError(f"the checkpoint {path} is a link to {path.readlink()}: put the file itself in its place")
    if not path.exists():
        raise FileNotFoundError(path)
    try:
        with safe_open(path, framework=framework) as file:
            facts = json.loads(file.metadata()[_FACTS_KEY])
            names = [name for name in file.keys() if name.startswith(prefix)]  # noqa: SIM118
            return {name: file.get_tensor(name) for name in names}, facts
    except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
        raise StorageError(f"the checkpoint {path} is damaged: {error}") from error
