"""``python -m benchmarks.quality.samplers``: which sampler and pruner find the best trial soonest.

Every pair searches recordings of three layouts, several times with other seeds, for the same time of one core: sampler
and training both count. A search is measured by the co-bps of its best complete trial, as a share of the best that any
pair found on that recording, after a quarter, a half and all of the time. Prints a Markdown table of the means over
recordings and seeds, best first, with the standard error of the last column.
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

from benchmarks.shared.synthetic_searches import Synthetic, search_for
from nlb_search.search.sampling.sampling_settings import PrunerName, SamplerName
from nlb_search.search.study.creation import StudyRequest
from nlb_search.search.study.status import study_status

RECORDINGS = (
    Synthetic("mc_rtt", neurons=50, trials=250, seed=1, bin_ms=20),
    Synthetic("mc_maze_small", neurons=50, trials=200, seed=1, bin_ms=20),
    Synthetic("area2_bump", neurons=40, trials=240, seed=1, bin_ms=20),
)
CHAIN = "minGRU(2) -> FF -> exp"
"""The quickest chain to train: more trials, and so more for a sampler to learn from, in the same time."""

EPOCHS = 40
ENDLESS = 100_000
SHARES = (0.25, 0.5, 1.0)


@dataclass(frozen=True)
class Search:
    """One search: what was searched how, and the best complete trial's co-bps after each share of the time."""

    sampler: SamplerName
    pruner: PrunerName
    recording: int
    seed: int
    best: tuple[float, ...]
    n_finished: int


def search(sampler: SamplerName, pruner: PrunerName, recording: int, seed: int, seconds: float) -> Search:
    """One search, with one worker in this process."""
    synthetic = RECORDINGS[recording]
    request = StudyRequest(
        dataset=synthetic.dataset,
        architectures=(CHAIN,),
        trials=ENDLESS,
        epochs=EPOCHS,
        sampler=sampler,
        pruner=pruner,
        seed=seed,
        bin_ms=synthetic.bin_ms,
    )
    searched = search_for(seconds, synthetic, f"sampler-{sampler}-{pruner}-{recording}-{seed}", request)
    best = tuple(searched.best_after(share * seconds) for share in SHARES)
    states = study_status(searched.study).states
    return Search(sampler, pruner, recording, seed, best, states["complete"] + states["pruned"])


def table(searches: list[Search]) -> str:
    """Mean shares of the best that was found on each recording, a line a pair."""
    highest = [max(s.best[-1] for s in searches if s.recording == r) for r in range(len(RECORDINGS))]
    pairs = defaultdict(list)
    for found in searches:
        pairs[found.sampler, found.pruner].append(found)
    lines = [
        "| sampler | pruner | a quarter of the time | half | all | standard error | trials | searches |",
        "|---|---|---|---|---|---|---|---|",
    ]
    rows = []
    for (sampler, pruner), of_pair in pairs.items():
        shares = np.array([np.array(found.best) / highest[found.recording] for found in of_pair])
        means, error = shares.mean(axis=0), shares[:, -1].std(ddof=1) / np.sqrt(len(shares))
        n_finished = np.mean([found.n_finished for found in of_pair])
        cells = " | ".join(f"{mean:.3f}" for mean in means)
        rows.append(
            (means[-1], f"| {sampler} | {pruner} | {cells} | {error:.3f} | {n_finished:.0f} | {len(of_pair)} |")
        )
    return "\n".join([*lines, *(row for _, row in sorted(rows, reverse=True))])


def logged(log: Path | None) -> list[Search]:
    """The searches that a log holds."""
    if log is None or not log.exists():
        return []
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    return [Search(**line | {"best": tuple(line["best"])}) for line in lines]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=90, help="of one core, for each search")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--samplers", nargs="+", default=[name for name in get_args(SamplerName) if name != "grid"])
    parser.add_argument("--pruners", nargs="+", default=list(get_args(PrunerName)))
    parser.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--log", type=Path, help="a file of searches: those in it are not run again, others are added")
    options = parser.parse_args()
    for synthetic in RECORDINGS:
        synthetic.recording  # noqa: B018  made once, before workers would
    searches = logged(options.log)
    done = {(found.sampler, found.pruner, found.recording, found.seed) for found in searches}
    wanted = product(range(options.seeds), range(len(RECORDINGS)), options.samplers, options.pruners)
    with ProcessPoolExecutor(options.workers, get_context("spawn"), max_tasks_per_child=1) as pool:
        futures = [
            pool.submit(search, sampler, pruner, recording, seed, options.seconds)
            for seed, recording, sampler, pruner in wanted
            if (sampler, pruner, recording, seed) not in done
        ]
        for future in futures:
            found = future.result()
            searches.append(found)
            if options.log:
                with options.log.open("a") as log:
                    log.write(json.dumps(asdict(found)) + "\n")
    print(f"{CHAIN}, wide space, {options.seconds:.0f} s of one core a search, {options.seeds} seeds on each of:")
    print("".join(f"- {synthetic}\n" for synthetic in RECORDINGS))
    print(table(searches), flush=True)


if __name__ == "__main__":
    main()
