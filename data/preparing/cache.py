"""The cache of prepared recordings: tensors are made once and then memory-mapped.

A cache entry is a folder named after the dataset, the bin width and the content hash. It has one ``.npy`` file per
split, ``val_targets.h5`` for the benchmark's evaluation, ``test_targets.h5`` if the targets of test trials are
available, and ``recording.json``, which lists these files and their sizes.

An entry is written to a temporary folder under a lock and renamed when it is complete, so a folder with the name of an
entry is complete even if a process was killed. Processes that open the same entry share its arrays in memory.
"""

import json
import logging
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import platformdirs
from filelock import FileLock, Timeout

from nlb_search.data.datasets import group_name
from nlb_search.data.errors import DataError
from nlb_search.data.nlb.source import BenchmarkRecording
from nlb_search.data.own.source import OwnRecording
from nlb_search.data.preparing.subprocess_runner import STUCK_SECONDS, Request, prepare_in_subprocess
from nlb_search.data.recording import Recording, Split
from nlb_search.data.source import Source, Tensors
from nlb_search.data.targets_file import write_targets

_FORMAT = 8
"""Version in the names of entries: increase it whenever the same files give different tensors."""

_LIST = "recording.json"
_TARGETS, _TEST_TARGETS = "val_targets.h5", "test_targets.h5"
_HASHES = "file-hashes.json"

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Entry:
    """Paths of one recording's cache entry."""

    cache: Path
    name: str
    bin_ms: int
    content_hash: str

    @property
    def folder(self) -> Path:
        return self.cache / f"{self.name}-{self.bin_ms}ms-{self.content_hash[:16]}-v{_FORMAT}"

    @property
    def partial(self) -> Path:
        """Folder in which the entry is written. A single name is enough: the lock admits one writer at a time."""
        return self.folder.with_name(f"{self.folder.name}.partial")

    @property
    def lock(self) -> Path:
        return self.folder.with_name(f"{self.folder.name}.lock")


def cache_folder() -> Path:
    """``$NLB_SEARCH_CACHE`` if it is set, otherwise a folder in the user's cache folder."""
    named = os.environ.get("NLB_SEARCH_CACHE")
    return Path(named).expanduser() if named else platformdirs.user_cache_path("nlb-search")


def open_or_prepare(
    source: BenchmarkRecording | OwnRecording, cache: Path, stuck_s: float = STUCK_SECONDS
) -> Recording:
    """Open a recording from its entry in the folder ``cache``, and make the entry if there is none.

    A new entry is made if the content of the files has changed. If several processes open a recording at the same time,
    one of them makes the entry. The entry is made in a subprocess, which is killed if a single library call uses more
    than ``stuck_s`` seconds of CPU time.

    Raises DataError if files cannot be read or change while they are read, or if the cache cannot be written.
    """
    entry = _Entry(cache, source.name, source.bin_ms, source.content_hash(cache / _HASHES))
    with suppress(_NoEntryError):
        return _read(entry)
    prepare_in_subprocess(Request(source, cache, entry.content_hash, stuck_s))
    try:
        return _read(entry)
    except _NoEntryError as error:
        raise DataError(
            f"{entry.folder} cannot be read back ({error}): check the disk, or set NLB_SEARCH_CACHE"
        ) from error


class _NoEntryError(Exception):
    """Raised if there is no entry or it is damaged; the message says how."""


def _read(entry: _Entry) -> Recording:
    """Read the recording of an entry. Raises _NoEntryError if there is no entry or it is damaged."""
    try:
        listed = json.loads((entry.folder / _LIST).read_bytes())
        sizes = {name: (entry.folder / name).stat().st_size for name in listed["sizes"]}
        if listed["content_hash"] != entry.content_hash or listed["sizes"] != sizes:
            raise ValueError("the size of a file differs from the listed one")
        splits = {
            name.removesuffix(".npy"): Split(
                counts=np.load(entry.folder / name, mmap_mode="r"),
                n_window_bins=listed["n_window_bins"],
                n_heldin=listed["n_heldin"],
            )
            for name in sizes
            if name.endswith(".npy")
        }
        return Recording(
            name=entry.name,
            bin_ms=entry.bin_ms,
            content_hash=entry.content_hash,
            train=splits["train"],
            val=splits["val"],
            train_val=splits["train_val"],
            test=splits.get("test"),
            val_targets=entry.folder / _TARGETS,
            test_targets=entry.folder / _TEST_TARGETS if _TEST_TARGETS in sizes else None,
            choices=tuple(listed["choices"]),
        )
    except (OSError, EOFError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise _NoEntryError(error) from error


def prepare(source: Source, cache: Path, content_hash: str) -> None:
    """Make the entry of ``source`` in this process, unless another process makes it first.

    Raises DataError in the same cases as ``open_or_prepare``, and if the content of the files is no longer
    ``content_hash``.
    """
    entry = _Entry(cache, source.name, source.bin_ms, content_hash)
    # Only the process with the lock writes, so leftovers found under the lock are from processes that were killed.
    with _writing_to(cache), _locked(entry):
        try:
            _read(entry)
            return
        except _NoEntryError as error:
            if entry.folder.exists():
                _log.warning("%s is damaged (%s) and will be made again", entry.folder, error)
        for leftover in (entry.partial, entry.folder):
            if leftover.exists():
                shutil.rmtree(leftover)
        _log.info("preparing %s at %d ms from %s", source.name, source.bin_ms, source.path)
        started = time.monotonic()
        tensors = source.make()
        if source.content_hash(cache / _HASHES) != content_hash:
            raise DataError(
                f"the files of {source.name} in {source.path} changed while they were read: "
                f"try again when they are no longer being written"
            )
        _write(entry, tensors)
        _log.info("prepared %s at %d ms in %.1f s", source.name, source.bin_ms, time.monotonic() - started)


@contextmanager
def _writing_to(cache: Path) -> Iterator[None]:
    try:
        cache.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        raise DataError(
            f"the cache folder {cache} cannot be written ({error.strerror or error}): "
            f"fix this, or set NLB_SEARCH_CACHE to another folder"
        ) from error


@contextmanager
def _locked(entry: _Entry) -> Iterator[None]:
    entry.lock.touch()  # fails if the folder is not writable; FileLock would wait forever
    lock = FileLock(entry.lock)
    try:
        held = lock.acquire(blocking=False)
    except Timeout:
        _log.info("waiting for another process to prepare %s at %d ms", entry.name, entry.bin_ms)
        held = lock.acquire()
    with held:
        yield


def _write(entry: _Entry, tensors: Tensors) -> None:
    entry.partial.mkdir()
    try:
        for name, split in tensors.splits.items():
            np.save(entry.partial / f"{name}.npy", split.counts)
        group = group_name(entry.name, entry.bin_ms)
        write_targets(entry.partial / _TARGETS, {group: tensors.targets})
        if tensors.test_targets is not None:
            write_targets(entry.partial / _TEST_TARGETS, {group: tensors.test_targets})
        sizes = {path.name: path.stat().st_size for path in sorted(entry.partial.iterdir())}
        train = tensors.splits["train"]
        sized = {"n_heldin": train.n_heldin, "n_window_bins": train.n_window_bins}
        listed = {"content_hash": entry.content_hash, **sized, "choices": tensors.choices, "sizes": sizes}
        (entry.partial / _LIST).write_text(json.dumps(listed, indent=1))
        for path in (*entry.partial.iterdir(), entry.partial):
            _flush(path)
        entry.partial.rename(entry.folder)
        _flush(entry.cache)
    finally:
        shutil.rmtree(entry.partial, ignore_errors=True)


def _flush(path: Path) -> None:
    """Flush a file or folder to disk, so that after a power failure no renamed folder lacks its content."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
