"""``python -m benchmarks.quality.search_gain``: how much a search gains over its first trial, on test.

Runs searches of ``rnnf``, or of other chains (``--arch``), on recordings with known test spikes: real ones (``--real
session.nwb:20``: the file and the bin width in ms, with ``session.toml`` beside it) and synthetic ones. The best trial
on val of each search is exported for the test trials, retrained once on train + val, without an ensemble, and
scored ("test"); so is what ``export-best --phase test`` writes by default, an ensemble ("exported"). The strategies are

- ``first trial``, ``16 trials``, ``64 trials`` and ``200 trials``, with the default settings of ``launch``;
- ``16 trials, median`` and ``equal time, median``, with this pruner;
- ``random``: 64 trials with random settings and without pruning;
- ``equal time``: as many trials as fit into the CPU time that ``16 trials`` took in ``--reference``, the log of this
  program at an earlier version, on the same machine;

and, for comparison, the smoothing baseline of the benchmark, a Poisson regression on smoothed held-in spikes. Prints a
Markdown table with means over seeds and their standard errors. ``--log`` keeps each result, so that an interrupted run
can be continued.
"""

import argparse
import json
import math
import os
import time
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from importlib.metadata import version
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch

from benchmarks.shared.scored_recordings import ScoredRecording, scored_recordings
from benchmarks.shared.synthetic_searches import FOLDER, CpuTimeLimit
from nlb_search.models.architecture.architectures import architectures_named
from nlb_search.models.scoring.bits_per_spike import bits_per_spike
from nlb_search.models.scoring.smoothing_baseline import smoothed_rates
from nlb_search.models.tensors import with_nan
from nlb_search.search.creation.study_creation import StudyRequest, create_or_open
from nlb_search.search.ensembles.refit import RefitOptions
from nlb_search.search.ensembles.trial_selection import Selection, selection_of
from nlb_search.search.recording_tensors import counts_of
from nlb_search.search.sampling.sampling_settings import PrunerName, SamplerName
from nlb_search.search.study.open_study import Locations, OpenStudy
from nlb_search.search.study.status import study_status
from nlb_search.search.submission.evaluation import evaluate_submission
from nlb_search.search.submission.export import export_best
from nlb_search.search.workers.worker import work
from nlb_search.storage.database.urls import parse_url

ENDLESS = 100_000
BASELINE = "smoothing baseline"


@dataclass(frozen=True)
class Strategy:
    """A search: its number of trials, and the options that differ from the defaults."""

    name: str
    trials: int
    sampler: SamplerName | None = None
    pruner: PrunerName | None = None


FIRST_TRIAL = Strategy("first trial", 1)
SIXTEEN = Strategy("16 trials", 16)
EQUAL_TIME = Strategy("equal time", ENDLESS)
STRATEGIES = (
    FIRST_TRIAL,
    SIXTEEN,
    EQUAL_TIME,
    Strategy("equal time, median", ENDLESS, pruner="median"),
    Strategy("16 trials, median", 16, pruner="median"),
    Strategy("64 trials", 64),
    Strategy("200 trials", 200),
    Strategy("random", 64, sampler="random", pruner="none"),
)


@dataclass(frozen=True)
class Result:
    """What a search chose: co-bps of the best trial on val and, retrained, on test, and of the ensemble on test.

    ``seconds`` of CPU time are those of the search alone, ``export_seconds`` those of the ensemble. ``n_trials`` are
    all trials that the search started. Logs of earlier versions have no ensemble.
    """

    version: str
    recording: str
    strategy: str
    seed: int
    val: float
    test: float
    seconds: float
    n_trials: int
    exported: float = math.nan
    export_seconds: float = math.nan


def study_of(recording: ScoredRecording, strategy: Strategy, seed: int) -> tuple[Locations, str]:
    """Where the study of a search is, and its name."""
    name = f"gain-{recording.name}-{strategy.name.replace(' ', '-').replace(',', '')}-{seed}"
    return Locations(parse_url(f"sqlite:///{FOLDER / name}.db"), FOLDER / "artifacts" / name, recording.data), name


def search(
    recording: ScoredRecording,
    strategy: Strategy,
    architectures: tuple[str, ...],
    label: str,
    seed: int,
    seconds: float,
) -> Result:
    """Run one search in this process, for at most ``seconds`` of CPU time, then export its best trial and score it."""
    torch.set_num_threads(1)
    locations, name = study_of(recording, strategy, seed)
    for leftover in FOLDER.glob(f"{name}.db*"):
        leftover.unlink()
    request = StudyRequest(
        dataset=recording.dataset,
        architectures=architectures,
        trials=strategy.trials,
        sampler=strategy.sampler,
        pruner=strategy.pruner,
        seed=seed,
        bin_ms=recording.bin_ms,
        recording=recording.settings,
    )
    start = time.process_time()
    study = create_or_open(locations, name, request)
    work(study, CpuTimeLimit(seconds))
    taken = time.process_time() - start
    status = study_status(study)
    if status.best is None:
        raise SystemExit(f"{name} has no complete trial after {seconds:.0f} s: give it more time")
    test, _ = exported_score(study, recording, Selection(), RefitOptions(seeds=1))
    exported, export_seconds = exported_score(study, recording, selection_of("test"), RefitOptions())
    return Result(
        label,
        recording.name,
        strategy.name,
        seed,
        status.best.value,
        test,
        taken,
        sum(status.states.values()),
        exported,
        export_seconds,
    )


def exported_score(
    study: OpenStudy, recording: ScoredRecording, selection: Selection, refitting: RefitOptions
) -> tuple[float, float]:
    """Test co-bps of what is exported, and the CPU time of the export in seconds."""
    out = FOLDER / f"{study.name}.h5"
    out.unlink(missing_ok=True)
    start = sum(os.times()[:4])  # with processes that have ended: networks are retrained in one
    export_best([study], out, "test", selection, refitting)
    seconds = sum(os.times()[:4]) - start
    [scores] = evaluate_submission(out, recording.dataset, recording.data, None).values()
    return scores["co-bps"], seconds


def smoothing_baseline(recording: ScoredRecording) -> Result:
    """Test co-bps of the benchmark's smoothing baseline, fitted on train + val."""
    opened = recording.open()
    test = recording.test_counts(opened)
    rates = smoothed_rates(counts_of(opened.train_val), test.heldin_BWI, opened.bin_ms)
    spikes = with_nan(test.counts_BTN)[:, : test.sizes.n_window, test.sizes.n_heldin :]
    return Result("", recording.name, BASELINE, 0, math.nan, bits_per_spike(rates, spikes).item(), 0, 0)


def seconds_for(strategy: Strategy, recording: ScoredRecording, seed: int, reference: Sequence[Result]) -> float:
    """The limit of CPU time of a strategy."""
    if strategy.trials != ENDLESS:
        return math.inf
    taken = [r.seconds for r in reference if (r.recording, r.strategy, r.seed) == (recording.name, SIXTEEN.name, seed)]
    if not taken:
        raise SystemExit(f"no '{SIXTEEN.name}' of {recording.name} with seed {seed}: give such a log with --reference")
    return taken[0]


def table(results: Sequence[Result]) -> str:
    """One line per recording and strategy, with means over seeds."""
    groups = defaultdict(list)
    for result in results:
        groups[result.recording, result.version, result.strategy].append(result)
    columns = ("recording", "version", "strategy", "val", "test", "exported", "over the first trial", "CPU s", "trials")
    lines = [f"| {' | '.join(columns)} |", f"|{'---|' * len(columns)}"]
    for (recording, label, strategy), group in sorted(groups.items()):
        tests = [result.test for result in group]
        first = {r.seed: r.test for r in groups.get((recording, label, FIRST_TRIAL.name), [])}
        gains = [result.test - first[result.seed] for result in group if result.seed in first]
        means = f"{np.mean([r.seconds for r in group]):.0f} | {np.mean([r.n_trials for r in group]):.0f}"
        val = np.mean([result.val for result in group])
        exported = _mean([result.exported for result in group if not math.isnan(result.exported)])
        cells = f"{val:.4f} | {_mean(tests)} | {exported} | {_mean(gains)} | {means}"
        lines.append(f"| {recording} | {label} | {strategy} | {cells} |")
    return "\n".join(lines)


def _mean(values: Sequence[float]) -> str:
    """The mean and its standard error."""
    if not values:
        return ""
    error = f" ± {np.std(values, ddof=1) / math.sqrt(len(values)):.4f}" if len(values) > 1 else ""
    return f"{np.mean(values):.4f}{error}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    names = [strategy.name for strategy in STRATEGIES]
    parser.add_argument("--real", nargs="*", default=[], metavar="FILE:BIN_MS")
    parser.add_argument("--only", nargs="*", help="names of recordings to use, for example lorenz-0")
    parser.add_argument("--strategies", nargs="+", default=names, choices=names)
    parser.add_argument("--arch", nargs="+", default=["rnnf"], help="chains to search, or auto")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--log", type=Path, required=True, help="file of results, which are not computed again")
    parser.add_argument("--reference", type=Path, help="log of an earlier version, for equal time and for the table")
    parser.add_argument("--label", default=version("nlb-search"), help="name of this version in the table")
    parser.add_argument("--draws", type=int, default=1, help="number of draws of each synthetic recording")
    options = parser.parse_args()
    architectures = tuple(map(str, architectures_named(options.arch)))
    results, reference = results_in(options.log), results_in(options.reference)
    recordings = scored_recordings(options.real, options.only, options.draws)
    done = {(result.recording, result.strategy, result.seed) for result in results}
    with ProcessPoolExecutor(options.workers, get_context("spawn"), max_tasks_per_child=1) as pool:
        pending = [
            pool.submit(smoothing_baseline, recording)
            for recording in recordings
            if (recording.name, BASELINE, 0) not in done
        ]
        pending += [
            pool.submit(search, recording, strategy, architectures, options.label, seed, limit)
            for seed in range(options.seeds)
            for recording in recordings
            for strategy in STRATEGIES
            if strategy.name in options.strategies and (recording.name, strategy.name, seed) not in done
            for limit in [seconds_for(strategy, recording, seed, reference)]
        ]
        for future in as_completed(pending):
            results.append(future.result())
            with options.log.open("a") as log:
                log.write(json.dumps(asdict(results[-1])) + "\n")
    chosen = {recording.name for recording in recordings}
    print(table([result for result in [*reference, *results] if result.recording in chosen]), flush=True)


def results_in(log: Path | None) -> list[Result]:
    """The results in a log file."""
    if log is None or not log.exists():
        return []
    return [Result(**json.loads(line)) for line in log.read_text().splitlines()]


if __name__ == "__main__":
    main()
