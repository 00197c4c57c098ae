"""Corrupted recordings: ``python -m tests.helpers.recordings.spoiled_recordings FOLDER CASES``.

Corrupts each dataset CASES times. FOLDER has an intact recording of each layout. For each corrupted copy, a line gives
the dataset, the seed, the corruption and the outcome:
*rejected* (a DataError), *same* (unchanged tensors), *right* (changed tensors, which equal those of nlb_tools),
*unjudged* (bytes were lost, and nlb_tools fails or crashes), or *survived* (bytes were lost, libhdf5 crashed or hung,
and opening the recording reports it). Anything else ends the program: tensors that differ from those of nlb_tools,
another exception, or a crash although no bytes were lost.

The cases run in a subprocess that is only restarted when a case has crashed it, because most cases take a tenth of the
time that a process takes to start.
"""

import hashlib
import io
import mmap
import os
import resource
import shutil
import signal
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from nlb_tools.make_tensors import make_eval_input_tensors, make_eval_target_tensors, make_train_input_tensors
from nlb_tools.nwb_interface import NWBDataset

from nlb_search.data.dataset_files import find_files, read_contents
from nlb_search.data.datasets import Dataset, dataset_named
from nlb_search.data.errors import DataError
from nlb_search.data.nlb.source import BenchmarkRecording
from nlb_search.data.preparing.cache import open_or_prepare
from nlb_search.data.recording import UNSEEN, Split
from nlb_search.data.source import Tensors
from tests.helpers.recordings import foreign_nwb
from tests.helpers.recordings.spoilers import BYTES, SPOILERS

BIN_MS = 5
SEEDS = 250
"""Distance between the first seeds of two datasets."""
STUCK_SECONDS = 5
"""Of the processor's time. A recording of these sizes is read in less than one."""
MEMORY = 6 * 2**30
AVERAGES = {"psth", "train_cond_idx", "eval_cond_idx", "train_jitter", "eval_jitter"}


@dataclass(frozen=True)
class Case:
    """A spoiled copy of a recording, what was done to it, and whether bytes were lost."""

    folder: Path
    done: str
    lost_bytes: bool


def main(folder: Path, cases: int) -> None:
    with tempfile.TemporaryDirectory() as tempfile.tempdir:  # contains the leftovers of crashes
        for number, name in enumerate(foreign_nwb.LAYOUTS):
            first = SEEDS * number
            _try_all(dataset_named(name), folder / name, first, first + cases)


def _try_all(dataset: Dataset, folder: Path, first: int, last: int) -> None:
    original = _source(dataset, folder).make()
    reached = mmap.mmap(-1, 8)
    while first < last:
        process = os.fork()
        if not process:
            _try_from(first, last, dataset, folder, original, reached)
            os._exit(0)
        code = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
        if code > 0:
            sys.exit(code)
        if code == 0:
            return
        seed = int.from_bytes(reached[:], "little")
        print(f": {_survived(dataset, folder, seed, signal.Signals(-code))}", flush=True)
        first = seed + 1


def _try_from(first: int, last: int, dataset: Dataset, folder: Path, original: Tensors, reached: mmap.mmap) -> None:
    """Try the cases one by one; ``reached`` is the seed of the one in hand."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    for seed in range(first, last):
        reached[:] = seed.to_bytes(8, "little")
        with spoiled(folder, seed) as case:
            print(f"{dataset.name}: {seed}: {case.done}", end="", flush=True)
            signal.setitimer(signal.ITIMER_PROF, STUCK_SECONDS)
            print(f": {judged(dataset, case, original)}", flush=True)


def _survived(dataset: Dataset, folder: Path, seed: int, number: signal.Signals) -> str:
    """What opening the recording says of a case whose reading ended a process by a signal."""
    with spoiled(folder, seed) as case, tempfile.TemporaryDirectory() as cache:
        assert case.lost_bytes, f"{number.name}, and every byte was there"
        try:
            open_or_prepare(_source(dataset, case.folder), Path(cache), STUCK_SECONDS)
        except DataError as error:
            return f"survived, {number.name}: " + " / ".join(str(error).splitlines())
        return f"unjudged, {number.name}"


@contextmanager
def spoiled(folder: Path, seed: int) -> Iterator[Case]:
    with tempfile.TemporaryDirectory() as locations:
        copy = Path(shutil.copytree(folder, Path(locations) / "copy"))
        rng = np.random.default_rng(seed)
        path = sorted(copy.rglob("*.nwb"))[int(rng.random() < 0.8)]
        spoiler = SPOILERS[seed % len(SPOILERS)]
        yield Case(copy, f"{path.name}: {spoiler(path, rng)}", spoiler in BYTES)


def judged(dataset: Dataset, case: Case, original: Tensors) -> str:
    try:
        found = _source(dataset, case.folder).make()
    except DataError as error:
        return "rejected: " + " / ".join(str(error).splitlines())
    if _differences(found, original) == []:
        return "same"
    with redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            expected = _by_nlb_tools(dataset, case.folder)
        except Exception as error:
            # Lost bytes may affect data that only nlb_tools reads.
            if not case.lost_bytes:
                raise
            return f"unjudged, {type(error).__name__}"
    differences = [name for name in _differences(found, expected) if name not in AVERAGES]
    assert differences == [], f"not as nlb_tools makes them: {', '.join(differences)}"
    return "right"


def _source(dataset: Dataset, folder: Path) -> BenchmarkRecording:
    return BenchmarkRecording(dataset, find_files(dataset, folder), BIN_MS)


def _differences(one: Tensors, other: Tensors) -> list[str]:
    """The names of splits and targets that are not equal."""
    names = [
        split
        for split in one.splits.keys() | other.splits.keys()
        if split not in one.splits
        or split not in other.splits
        or not np.array_equal(one.splits[split].counts, other.splits[split].counts)
    ]
    return names + [name for name in one.targets.keys() | other.targets.keys() if not _equal(one, other, name)]


def _equal(one: Tensors, other: Tensors, name: str) -> bool:
    if name not in one.targets or name not in other.targets:
        return False
    values, expected = one.targets[name], other.targets[name]
    if values.dtype == object:
        return [list(part) for part in values] == [list(part) for part in expected]
    return values.shape == expected.shape and np.allclose(
        values.astype(float), expected.astype(float), rtol=1e-6, atol=1e-9, equal_nan=True
    )


def _by_nlb_tools(dataset: Dataset, folder: Path) -> Tensors:
    """All but trial averages, which nlb_tools makes in a pool of processes."""
    files = find_files(dataset, folder)
    splits, targets = _once(_of_train_file, dataset, files.train)
    if files.test is not None:
        splits = splits | {"test": _once(_of_test_file, dataset, files.test)}
    return Tensors(splits, targets)


_known: dict[tuple[str, bytes], Any] = {}


def _once(make: Callable[[Dataset, Path], Any], dataset: Dataset, path: Path) -> Any:
    """What nlb_tools makes of a file, made once for equal files: each case leaves one of the two files as it was."""
    key = (make.__name__, hashlib.sha256(path.read_bytes()).digest())
    if key not in _known:
        _known[key] = make(dataset, path)
    return _known[key]


def _of_train_file(dataset: Dataset, path: Path) -> tuple[dict[str, Split], dict[str, np.ndarray]]:
    """The splits of the training file, and the targets of val."""
    train, name = _loaded(path, dataset), dataset.name
    options = {"save_file": False, "include_forward_pred": True}
    splits = {
        "train": _split(make_train_input_tensors(train, name, "train", **options), "train"),
        "train_val": _split(make_train_input_tensors(train, name, ["train", "val"], **options), "train"),
    }
    inputs = make_eval_input_tensors(train, name, "val", save_file=False)
    (targets,) = make_eval_target_tensors(train, name, "train", "val", save_file=False).values()
    return splits | {"val": _split(inputs | targets, "eval")}, targets


def _of_test_file(dataset: Dataset, path: Path) -> Split:
    test = make_eval_input_tensors(_loaded(path, dataset), dataset.name, "test", save_file=False)
    heldin = _counts(test["eval_spikes_heldin"])
    return Split(heldin, heldin.shape[1], heldin.shape[2])


def _loaded(path: Path, dataset: Dataset) -> NWBDataset:
    nwb = NWBDataset(str(path), skip_fields=list(read_contents(path).series.keys() - {dataset.behavior}))
    nwb.trial_info["trial_id"] = np.arange(len(nwb.trial_info))
    nwb.resample(BIN_MS)
    return nwb


def _split(tensors: dict[str, np.ndarray], prefix: str) -> Split:
    heldin, heldout, heldin_forward, heldout_forward = (
        _counts(tensors[f"{prefix}_spikes_{part}"])
        for part in ("heldin", "heldout", "heldin_forward", "heldout_forward")
    )
    counts = np.block([[heldin, heldout], [heldin_forward, heldout_forward]])
    return Split(counts, heldin.shape[1], heldin.shape[2])


def _counts(spikes: np.ndarray) -> np.ndarray:
    return np.where(np.isnan(spikes), UNSEEN, spikes).astype(np.uint8)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
