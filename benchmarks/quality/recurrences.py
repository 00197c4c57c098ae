"""``python -m benchmarks.quality.recurrences``: compares minGRU, which computes all bins in parallel, with the GRU.

Searches both chains for the same CPU time, with several random seeds, on real recordings (``--real session.nwb:20``:
the file and the bin width in ms, with ``session.toml`` beside it) and on synthetic ones. Prints a Markdown table:
co-bps on val of the best complete trial after fractions of the time (mean and standard error over seeds), and the
number of finished trials.
"""

import argparse
import os
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context

import numpy as np

from benchmarks.shared.scored_recordings import ScoredRecording, scored_recordings
from benchmarks.shared.synthetic_searches import search_for
from nlb_search.search.creation.study_creation import StudyRequest
from nlb_search.search.study.status import study_status

CHAINS = ("GRU(2) -> FF -> exp", "minGRU(2) -> FF -> exp")
MAX_TRIALS = 100_000
FRACTIONS = (0.2, 0.4, 0.7, 1.0)


def search(recording: ScoredRecording, chain: str, seconds: float, seed: int) -> tuple[float, ...]:
    """co-bps after each fraction of the time, followed by the number of finished trials."""
    request = StudyRequest(
        dataset=recording.dataset,
        architectures=(chain,),
        trials=MAX_TRIALS,
        seed=seed,
        bin_ms=recording.bin_ms,
        recording=recording.settings,
    )
    name = f"recurrence-{recording.name}-{chain.split('(')[0]}-{seed}"
    result = search_for(seconds, recording.data, name, request)
    states = study_status(result.study).states
    return (*(result.best_after(fraction * seconds) for fraction in FRACTIONS), states["complete"] + states["pruned"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--real", nargs="*", default=[], metavar="FILE:BIN_MS")
    parser.add_argument("--seconds", type=float, default=150, help="CPU time per search")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)))
    options = parser.parse_args()
    after = " | ".join(f"{fraction * options.seconds:.0f} s" for fraction in FRACTIONS)
    print(f"| recording | chain | {after} | trials |\n|---|---|{'---|' * (len(FRACTIONS) + 1)}")
    for recording in scored_recordings(options.real, None, draws=0):
        for chain in CHAINS:
            with ProcessPoolExecutor(options.workers, get_context("spawn"), max_tasks_per_child=1) as pool:
                jobs = pool.map(partial(search, recording, chain, options.seconds), range(options.seeds))
                results = np.array(list(jobs))
            means, errors = results.mean(axis=0), results.std(axis=0, ddof=1) / np.sqrt(options.seeds)
            cells = [f"{mean:.4f} ± {error:.4f}" for mean, error in zip(means[:-1], errors[:-1], strict=True)]
            print(f"| {recording.name} | {chain} | {' | '.join(cells)} | {means[-1]:.0f} |", flush=True)


if __name__ == "__main__":
    main()
