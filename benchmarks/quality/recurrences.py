"""``python -m benchmarks.quality.recurrences``: does a recurrence that is trained on all bins at once beat the GRU?

Both chains are searched on each recording for the same time of one core, several times with other seeds; everything
else is the same. Prints a Markdown table: the best complete trial's co-bps on val after parts of the time, as means
over seeds with their standard errors, and how many trials finished.
"""

import argparse
import os
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context

import numpy as np

from benchmarks.shared.synthetic_searches import Synthetic, search_for
from nlb_search.search.study.creation import StudyRequest
from nlb_search.search.study.status import study_status

RECORDINGS = (
    Synthetic("mc_rtt", neurons=80, trials=500),
    Synthetic("mc_maze_small", neurons=50, trials=200, seed=1),
)
CHAINS = ("GRU(2) -> FF -> exp", "minGRU(2) -> FF -> exp")
EPOCHS = 24
ENDLESS = 100_000
SHARES = (0.2, 0.4, 0.7, 1.0)


def search(synthetic: Synthetic, chain: str, seconds: float, seed: int) -> tuple[float, ...]:
    """co-bps after each share of the time, then the number of trials that finished."""
    request = StudyRequest(
        dataset=synthetic.dataset, architectures=(chain,), trials=ENDLESS, epochs=EPOCHS, seed=seed, pruner="median"
    )
    name = f"recurrence-{synthetic.dataset}-{chain.split('(')[0]}-{seed}"
    searched = search_for(seconds, synthetic, name, request)
    states = study_status(searched.study).states
    return (*(searched.best_after(share * seconds) for share in SHARES), states["complete"] + states["pruned"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=150, help="of one core, for each search")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)))
    options = parser.parse_args()
    after = " | ".join(f"{share * options.seconds:.0f} s" for share in SHARES)
    print(f"| recording | chain | {after} | of the ceiling | trials |\n|---|---|{'---|' * (len(SHARES) + 2)}")
    for synthetic in RECORDINGS:
        synthetic.recording  # noqa: B018  made once, before workers would
        for chain in CHAINS:
            with ProcessPoolExecutor(options.workers, get_context("spawn"), max_tasks_per_child=1) as pool:
                jobs = pool.map(partial(search, synthetic, chain, options.seconds), range(options.seeds))
                found = np.array(list(jobs))
            means, errors = found.mean(axis=0), found.std(axis=0, ddof=1) / np.sqrt(options.seeds)
            cells = [f"{mean:.4f} ± {error:.4f}" for mean, error in zip(means[:-1], errors[:-1], strict=True)]
            share = means[-2] / synthetic.ceilings[0]
            print(f"| {synthetic} | {chain} | {' | '.join(cells)} | {share:.3f} | {means[-1]:.0f} |", flush=True)


if __name__ == "__main__":
    main()
