"""``python -m benchmarks.quality.samplers``: compares samplers and pruners.

Every pair of a sampler and a pruner searches real recordings (``--real session.nwb:20``: the file and the bin width in
ms, with ``session.toml`` beside it) and synthetic ones with three layouts, with several random seeds, for the same CPU
time, including the time of the sampler. The result of a search is the co-bps of its best complete trial after 25%, 50%
and 100% of the time, divided by the best co-bps of any pair on that recording. Prints a Markdown table of means over
recordings and seeds, best first, and the standard error of the last mean.
"""

import argparse
import json
import os
from collections import defaultdict
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from itertools import product
from multiprocessing import get_context
from pathlib import Path
from typing import get_args

import numpy as np

from benchmarks.shared.scored_recordings import ScoredRecording, scored_recordings
from benchmarks.shared.synthetic_searches import search_for
from nlb_search.search.creation.study_creation import StudyRequest
from nlb_search.search.sampling.sampling_settings import PrunerName, SamplerName
from nlb_search.search.study.status import study_status

CHAIN = "minGRU(2) -> FF -> exp"
"""The fastest chain to train, so that samplers learn from many trials."""

MAX_TRIALS = 100_000
FRACTIONS = (0.25, 0.5, 1.0)


@dataclass(frozen=True)
class Search:
    """A search and its result: ``best`` is the co-bps of the best complete trial after each fraction of the time."""

    sampler: SamplerName
    pruner: PrunerName
    recording: str
    seed: int
    best: tuple[float, ...]
    n_finished: int


def search(sampler: SamplerName, pruner: PrunerName, recording: ScoredRecording, seed: int, seconds: float) -> Search:
    """Run one search with one worker in this process."""
    request = StudyRequest(
        dataset=recording.dataset,
        architectures=(CHAIN,),
        trials=MAX_TRIALS,
        sampler=sampler,
        pruner=pruner,
        seed=seed,
        bin_ms=recording.bin_ms,
        recording=recording.settings,
    )
    result = search_for(seconds, recording.data, f"sampler-{sampler}-{pruner}-{recording.name}-{seed}", request)
    best = tuple(result.best_after(fraction * seconds) for fraction in FRACTIONS)
    states = study_status(result.study).states
    return Search(sampler, pruner, recording.name, seed, best, states["complete"] + states["pruned"])


def table(searches: list[Search]) -> str:
    """Mean scores relative to the best score on each recording, one row per pair."""
    best: dict[str, float] = defaultdict(float)
    for result in searches:
        best[result.recording] = max(best[result.recording], result.best[-1])
    pairs = defaultdict(list)
    for result in searches:
        pairs[result.sampler, result.pruner].append(result)
    lines = [
        "| sampler | pruner | 25% of the time | 50% | 100% | standard error | trials | searches |",
        "|---|---|---|---|---|---|---|---|",
    ]
    rows = []
    for (sampler, pruner), results in pairs.items():
        scores = np.array([np.array(result.best) / best[result.recording] for result in results])
        means, error = scores.mean(axis=0), scores[:, -1].std(ddof=1) / np.sqrt(len(scores))
        n_finished = np.mean([result.n_finished for result in results])
        cells = " | ".join(f"{mean:.3f}" for mean in means)
        rows.append(
            (means[-1], f"| {sampler} | {pruner} | {cells} | {error:.3f} | {n_finished:.0f} | {len(results)} |")
        )
    return "\n".join([*lines, *(row for _, row in sorted(rows, reverse=True))])


def read_log(log: Path | None) -> list[Search]:
    """The searches in a log file."""
    if log is None or not log.exists():
        return []
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    return [Search(**line | {"best": tuple(line["best"])}) for line in lines]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--real", nargs="*", default=[], metavar="FILE:BIN_MS")
    parser.add_argument("--seconds", type=float, default=90, help="CPU time per search")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--samplers", nargs="+", default=[name for name in get_args(SamplerName) if name != "grid"])
    parser.add_argument("--pruners", nargs="+", default=list(get_args(PrunerName)))
    parser.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--log", type=Path, help="file of finished searches, to continue an interrupted run")
    options = parser.parse_args()
    recordings = scored_recordings(options.real, None, draws=0)
    searches = read_log(options.log)
    done = {(result.sampler, result.pruner, result.recording, result.seed) for result in searches}
    wanted = product(range(options.seeds), recordings, options.samplers, options.pruners)
    with ProcessPoolExecutor(options.workers, get_context("spawn"), max_tasks_per_child=1) as pool:
        futures = [
            pool.submit(search, sampler, pruner, recording, seed, options.seconds)
            for seed, recording, sampler, pruner in wanted
            if (sampler, pruner, recording.name, seed) not in done
        ]
        for future in futures:
            result = future.result()
            searches.append(result)
            if options.log:
                with options.log.open("a") as log:
                    log.write(json.dumps(asdict(result)) + "\n")
    print(f"{CHAIN}, wide space, {options.seconds:.0f} s of CPU time per search, {options.seeds} seeds on each of:")
    print("".join(f"- {recording.name}\n" for recording in recordings))
    print(table(searches), flush=True)


if __name__ == "__main__":
    main()
