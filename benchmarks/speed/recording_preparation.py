"""``python -m benchmarks.speed.recording_preparation``: the time and memory that a recording's tensors take.

Prepares one synthetic recording of a dataset's size twice, each time in a separate process: by nlb-search (spikes,
behaviour, targets with trial averages, written to an empty cache) and by nlb_tools, used as its own examples use it.
The maze's trials follow at once in a synthetic recording; here they come every three seconds, as in a real session.
nlb_tools' trial averages are left out unless ``--averages`` is given: at mc_maze's size they take some 50 GB. Both must
count the same spikes. Prints a Markdown table. Seconds are of the clock, from the start of the process; memory is its
peak by then.

The whole of mc_maze, two hours long, needs 20 GB of memory for nlb_tools; ``--trials 300 --averages`` is a size for any
machine.
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

# Little is imported up here: a process begins with the peak of the one that started it.

SIDES = ("nlb-search", "nlb_tools")
MAZE_PAUSE_MS = 2100
"""With so much after each of its trials of a second, mc_maze lasts two hours."""


@dataclass(frozen=True)
class Case:
    """What is prepared, and whether nlb_tools is to make trial averages as well."""

    dataset: str
    trials: int | None
    bin_ms: int
    averages: bool
    pause_ms: int

    @property
    def data(self) -> Path:
        return Path("bench").absolute() / f"preparing-{self.dataset}-{self.trials or 'all'}-{self.pause_ms}"


@dataclass(frozen=True)
class Measured:
    """One side's preparation. ``digest`` is of the spikes that it counted."""

    seconds: float
    peak_mb: float
    digest: str


def prepared_by_us(case: Case) -> Iterator[Any]:
    """The counts of all splits, in one order."""
    from nlb_search.data.opening import open_recording

    with tempfile.TemporaryDirectory(prefix="nlb-search-") as cache:
        recording = open_recording(case.dataset, case.data, case.bin_ms, Path(cache))
        for split in (recording.train, recording.train_val, recording.val):
            yield from (split.heldin, split.heldout, split.heldin_forward, split.heldout_forward)
        assert recording.test is not None
        yield recording.test.heldin


def prepared_by_nlb_tools(case: Case) -> Iterator[Any]:
    """The same, in the same order."""
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
    """A hash of counts, known or not."""
    import hashlib

    import numpy as np

    from nlb_search.data.recording import UNSEEN

    hashed = hashlib.sha256()
    for part in counts:
        known = part if part.dtype == np.uint8 else np.where(np.isnan(part), UNSEEN, part).astype(np.uint8)
        hashed.update(np.ascontiguousarray(known))
    return hashed.hexdigest()


def show_side(prepared: Callable[[Case], Iterator[Any]], case: Case) -> None:
    """Prepare, print the peak in MB as soon as it is done, and then a hash of the spikes."""
    counts = list(prepared(case))
    peaks = [resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    print(max(peaks) / 1000, flush=True)
    print(digest(counts))


def measured(side: str, options: list[str]) -> Measured:
    """One side in a separate process."""
    began = time.perf_counter()
    command = [sys.executable, "-m", "benchmarks.speed.recording_preparation", "--side", side, *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        peak = process.stdout.readline()
        seconds = time.perf_counter() - began
        rest = process.stdout.read()
    if process.returncode != 0:
        sys.exit(f"{side} ended with {process.returncode}: -9 is for lack of memory")
    return Measured(seconds, float(peak), rest.strip())


def report(case: Case) -> str:
    """The table, once the recording is there."""
    if not case.data.exists():
        sized = [] if case.trials is None else ["--trials", str(case.trials)]
        command = [sys.executable, "-m", "nlb_search", "synthesize", case.dataset, "--data", str(case.data), *sized]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        if case.pause_ms:
            from benchmarks.speed.long_session import lengthen

            for path in case.data.rglob("*.nwb"):
                lengthen(path, case.pause_ms)
    options = ["--dataset", case.dataset, "--bin-size", str(case.bin_ms)]
    options += [] if case.trials is None else ["--trials", str(case.trials)]
    options += ["--pause", str(case.pause_ms), *(["--averages"] if case.averages else [])]
    ours, theirs = (measured(side, options) for side in SIDES)
    if ours.digest != theirs.digest:
        sys.exit("the two sides count different spikes")
    without = "with" if case.averages else "without"
    return "\n".join(
        [
            f"{case.dataset}, {case.trials or 'all'} trials, bins of {case.bin_ms} ms: the same spikes.",
            "",
            "| made by | trial averages | seconds | peak memory |",
            "|---|---|---|---|",
            f"| nlb_tools | {without} | {theirs.seconds:.1f} | {theirs.peak_mb:,.0f} MB |",
            f"| nlb-search | with | {ours.seconds:.1f} | {ours.peak_mb:,.0f} MB |",
            "",
            f"nlb-search is **{theirs.seconds / ours.seconds:.1f} times** faster, in "
            f"**1/{theirs.peak_mb / ours.peak_mb:.1f}** of the memory.",
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", default="mc_maze")
    parser.add_argument("--trials", type=int, help="of all splits; as many as the real recording has unless given")
    parser.add_argument("--bin-size", type=int, default=5, dest="bin_ms")
    parser.add_argument("--pause", type=int, help="ms after each trial; 2100 in the maze and 0 elsewhere unless given")
    parser.add_argument("--averages", action="store_true", help="let nlb_tools make its trial averages as well")
    parser.add_argument("--side", choices=SIDES, help="one side alone, in this process: its peak, a hash of the spikes")
    options = parser.parse_args()
    usual_pause = MAZE_PAUSE_MS if options.dataset.startswith("mc_maze") else 0
    pause_ms = usual_pause if options.pause is None else options.pause
    case = Case(options.dataset, options.trials, options.bin_ms, options.averages, pause_ms)
    sides: dict[str, Callable[[Case], Iterator[Any]]] = dict(
        zip(SIDES, (prepared_by_us, prepared_by_nlb_tools), strict=True)
    )
    if options.side:
        show_side(sides[options.side], case)
    else:
        print(report(case))


if __name__ == "__main__":
    main()
