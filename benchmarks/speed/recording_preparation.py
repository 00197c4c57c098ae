"""``python -m benchmarks.speed.recording_preparation``: time and memory to prepare a recording.

Prepares a synthetic recording of a dataset's size with nlb-search (spikes, behaviour and targets with trial averages,
written to an empty cache) and with nlb_tools, used as in its own examples, each in a separate process. Checks that both
count the same spikes. In the synthetic maze recordings, trials follow each other without gaps; here pauses are added,
so that there is one trial every three seconds, as in a real session. nlb_tools computes trial averages only with
``--averages``: for mc_maze they need about 50 GB. Prints a Markdown table of wall-clock time since the start of the
process and peak memory.

The full size of mc_maze, a session of two hours, needs 20 GB of memory for nlb_tools. ``--trials 300 --averages`` runs
on any machine.
"""

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# Import only the standard library here: a child process inherits the peak memory of its parent.

PROGRAMS = ("nlb-search", "nlb_tools")
MAZE_PAUSE_MS = 2100
"""With this pause after each trial of one second, the session of mc_maze takes two hours."""


@dataclass(frozen=True)
class Case:
    """The recording to prepare. ``averages``: whether nlb_tools computes trial averages too."""

    dataset: str
    trials: int | None
    bin_ms: int
    averages: bool
    pause_ms: int

    @property
    def data(self) -> Path:
        return Path("bench").absolute() / f"preparing-{self.dataset}-{self.trials or 'all'}-{self.pause_ms}"


@dataclass(frozen=True)
class Measurement:
    """Time and memory of one program. ``digest`` is a hash of the counted spikes."""

    seconds: float
    peak_mb: float
    digest: str


def prepare_with_nlb_search(case: Case) -> Iterator[Any]:
    """The counts of all splits."""
    from nlb_search.data.opening import open_recording

    with tempfile.TemporaryDirectory(prefix="nlb-search-") as cache:
        recording = open_recording(case.dataset, case.data, case.bin_ms, Path(cache))
        for split in (recording.train, recording.train_val, recording.val):
            yield from (split.heldin, split.heldout, split.heldin_forward, split.heldout_forward)
        assert recording.test is not None
        yield recording.test.heldin


def prepare_with_nlb_tools(case: Case) -> Iterator[Any]:
    """The counts of all splits, in the same order as ``prepare_with_nlb_search``."""
    import logging
    import warnings

    from nlb_tools.make_tensors import make_eval_input_tensors, make_eval_target_tensors, make_train_input_tensors
    from nlb_tools.nwb_interface import NWBDataset

    from nlb_search.data.dataset_files import find_files
    from nlb_search.data.datasets import dataset_named

    logging.getLogger("nlb_tools").setLevel(logging.ERROR)
    warnings.simplefilter("ignore")
    name, files = case.dataset, find_files(dataset_named(case.dataset), case.data)
    nwb = NWBDataset(str(files.train))
    nwb.resample(case.bin_ms)
    for selected in ("train", ["train", "val"]):
        tensors = make_train_input_tensors(nwb, name, selected, save_file=False, include_forward_pred=True)
        yield from tensors.values()
    yield make_eval_input_tensors(nwb, name, "val", save_file=False)["eval_spikes_heldin"]
    averages = {"include_psth": case.averages}
    (targets,) = make_eval_target_tensors(nwb, name, "train", "val", save_file=False, **averages).values()
    yield from (targets[f"eval_spikes_{part}"] for part in ("heldout", "heldin_forward", "heldout_forward"))
    del nwb, tensors, targets
    test = NWBDataset(str(files.test))
    test.resample(case.bin_ms)
    yield make_eval_input_tensors(test, name, "test", save_file=False)["eval_spikes_heldin"]


def digest(counts: list[Any]) -> str:
    """A hash of counts, including the positions of unknown counts."""
    import hashlib

    import numpy as np

    from nlb_search.data.recording import UNSEEN

    hashed = hashlib.sha256()
    for part in counts:
        known = part if part.dtype == np.uint8 else np.where(np.isnan(part), UNSEEN, part).astype(np.uint8)
        hashed.update(np.ascontiguousarray(known).data)
    return hashed.hexdigest()


def run_in_this_process(prepare: Callable[[Case], Iterator[Any]], case: Case) -> None:
    """Prepare the recording; print the peak memory in MB, then a hash of the spikes."""
    counts = list(prepare(case))
    peaks = [resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    print(max(peaks) / 1000, flush=True)
    print(digest(counts))


def measure(program: str, options: list[str]) -> Measurement:
    """Run one program in a separate process."""
    began = time.perf_counter()
    command = [sys.executable, "-m", "benchmarks.speed.recording_preparation", "--program", program, *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        peak = process.stdout.readline()
        seconds = time.perf_counter() - began
        rest = process.stdout.read()
    if process.returncode != 0:
        sys.exit(f"{program} ended with exit code {process.returncode} (-9: out of memory)")
    return Measurement(seconds, float(peak), rest.strip())


def report(case: Case) -> str:
    """The table. Generates the recording if needed."""
    if not case.data.exists():
        size = [] if case.trials is None else ["--trials", str(case.trials)]
        command = [sys.executable, "-m", "nlb_search", "synthesize", case.dataset, "--data", str(case.data), *size]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        if case.pause_ms:
            from benchmarks.speed.long_session import lengthen

            for path in case.data.rglob("*.nwb"):
                lengthen(path, case.pause_ms)
    options = ["--dataset", case.dataset, "--bin-size", str(case.bin_ms)]
    options += [] if case.trials is None else ["--trials", str(case.trials)]
    options += ["--pause", str(case.pause_ms), *(["--averages"] if case.averages else [])]
    ours, theirs = (measure(program, options) for program in PROGRAMS)
    if ours.digest != theirs.digest:
        sys.exit("nlb-search and nlb_tools count different spikes")
    averages = "with" if case.averages else "without"
    return "\n".join(
        [
            f"{case.dataset}, {case.trials or 'all'} trials, {case.bin_ms} ms bins. Both count the same spikes.",
            "",
            "| program | trial averages | seconds | peak memory |",
            "|---|---|---|---|",
            f"| nlb_tools | {averages} | {theirs.seconds:.1f} | {theirs.peak_mb:,.0f} MB |",
            f"| nlb-search | with | {ours.seconds:.1f} | {ours.peak_mb:,.0f} MB |",
            "",
            f"nlb-search is **{theirs.seconds / ours.seconds:.1f} times** faster and needs "
            f"**1/{theirs.peak_mb / ours.peak_mb:.1f}** of the memory.",
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", default="mc_maze")
    parser.add_argument("--trials", type=int, help="trials of all splits; default: as in the real recording")
    parser.add_argument("--bin-size", type=int, default=5, dest="bin_ms")
    parser.add_argument("--pause", type=int, help="ms after each trial; default: 2100 for mc_maze, else 0")
    parser.add_argument("--averages", action="store_true", help="compute trial averages with nlb_tools too")
    parser.add_argument("--program", choices=PROGRAMS, help="run only this program, in this process")
    options = parser.parse_args()
    default_pause = MAZE_PAUSE_MS if options.dataset.startswith("mc_maze") else 0
    pause_ms = default_pause if options.pause is None else options.pause
    case = Case(options.dataset, options.trials, options.bin_ms, options.averages, pause_ms)
    prepare: dict[str, Callable[[Case], Iterator[Any]]] = dict(
        zip(PROGRAMS, (prepare_with_nlb_search, prepare_with_nlb_tools), strict=True)
    )
    if options.program:
        run_in_this_process(prepare[options.program], case)
    else:
        print(report(case))


if __name__ == "__main__":
    main()
