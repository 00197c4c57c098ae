"""The prepared cache: tensors of a recording, made once and mapped into memory ever after.

An entry is a folder named for dataset, bin width and content: one ``.npy`` file for each split, ``val_targets.h5`` for
the benchmark's evaluation (and ``test_targets.h5``, where a lab's recording has its own), and ``recording.json``, which
lists them with their sizes. It is written beside its place under a lock and renamed when it is whole, so a folder with
an entry's name can be relied on, whatever was killed before. However many processes open an entry, the machine holds
its arrays once.
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
from nlb_search.data.source import Array, Source, Tensors

_FORMAT = 5
"""Part of an entry's name: raise it when the same files come out as other tensors."""

_LIST = "recording.json"
_TARGETS, _TEST_TARGETS = "val_targets.h5", "test_targets.h5"
_HASHES = "file-hashes.json"

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Entry:
    """One recording's place in a cache."""

    cache: Path
    name: str
    bin_ms: int
    content_hash: str

    @property
    def folder(self) -> Path:
        return self.cache / f"{self.name}-{self.bin_ms}ms-{self.content_hash[:16]}-v{_FORMAT}"

    @property
    def partial(self) -> Path:
        """Where the entry is written until it is whole: one name is enough, for the lock lets one process write."""
        return self.folder.with_name(f"{self.folder.name}.partial")

    @property
    def lock(self) -> Path:
        return self.folder.with_name(f"{self.folder.name}.lock")


def cache_folder() -> Path:
    """``$NLB_SEARCH_CACHE``, or the user's own cache folder."""
    named = os.environ.get("NLB_SEARCH_CACHE")
    return Path(named).expanduser() if named else platformdirs.user_cache_path("nlb-search")


def open_source(source: BenchmarkRecording | OwnRecording, cache: Path, stuck_s: float = STUCK_SECONDS) -> Recording:
    """The recording that ``source`` describes, from its entry in the folder ``cache``.

    The first opening makes the tensors and keeps them; later ones map them, until the content of the files changes.
    Processes that open one recording together make it once. It is made in a separate process, which is ended when
    one call of a library takes ``stuck_s`` seconds of the processor.

    Raises DataError for files that cannot be read or that changed meanwhile, and a cache that cannot be written.
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
    """There is no entry, or it is damaged: how, in words."""


def _read(entry: _Entry) -> Recording:
    """The entry's recording. Raises _NoEntryError where there is none or it is damaged."""
    try:
        listed = json.loads((entry.folder / _LIST).read_bytes())
        sizes = {name: (entry.folder / name).stat().st_size for name in listed["sizes"]}
        if listed["content_hash"] != entry.content_hash or listed["sizes"] != sizes:
            raise ValueError("a file has not the size that is listed")
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
    """Make the entry of ``source`` in this very process, unless another one makes it first.

    Raises DataError as ``open_source`` does, and where the files no longer have this content.
    """
    entry = _Entry(cache, source.name, source.bin_ms, content_hash)
    # The lock is held by who writes: one that was killed has then written its last.
    with _writing_to(cache), _locked(entry):
        try:
            _read(entry)
            return
        except _NoEntryError as error:
            if entry.folder.exists():
                _log.warning("%s is damaged (%s) and will be made again", entry.folder, error)
        for left_over in (entry.partial, entry.folder):
            if left_over.exists():
                shutil.rmtree(left_over)
        _log.info("preparing %s at %d ms from %s", source.name, source.bin_ms, source.place)
        started = time.monotonic()
        tensors = source.make()
        if source.content_hash(cache / _HASHES) != content_hash:
            raise DataError(
                f"the files of {source.name} in {source.place} changed while they were read: "
                f"try again when they are complete"
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
            f"mend that, or name another folder with NLB_SEARCH_CACHE"
        ) from error


@contextmanager
def _locked(entry: _Entry) -> Iterator[None]:
    entry.lock.touch()  # a folder that takes no files fails here; FileLock would wait for it for ever
    lock = FileLock(entry.lock)
    try:
        held = lock.acquire(blocking=False)
    except Timeout:
        _log.info("waiting for the process that prepares %s at %d ms", entry.name, entry.bin_ms)
        held = lock.acquire()
    with held:
        yield


def _write(entry: _Entry, tensors: Tensors) -> None:
    entry.partial.mkdir()
    try:
        for name, split in tensors.splits.items():
            np.save(entry.partial / f"{name}.npy", split.counts)
        group = group_name(entry.name, entry.bin_ms)
        _write_targets(entry.partial / _TARGETS, group, tensors.targets)
        if tensors.test_targets is not None:
            _write_targets(entry.partial / _TEST_TARGETS, group, tensors.test_targets)
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


def _write_targets(path: Path, group: str, targets: dict[str, Array]) -> None:
    """Write targets as ``nlb_tools.evaluation.evaluate`` reads them: one group, ragged arrays as arrays of arrays."""
    import h5py  # here, because a prepared recording is opened without it

    with h5py.File(path, "w") as file:
        for name, values in targets.items():
            if values.dtype == object:
                file.create_dataset(f"{group}/{name}", data=values, dtype=h5py.vlen_dtype(int))
            else:
                file.create_dataset(
                    f"{group}/{name}", data=values, compression="gzip", compression_opts=1, shuffle=True
                )


def _flush(path: Path) -> None:
    """Flush a file or folder to the disk, so that a rename never survives a power failure without its content."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
