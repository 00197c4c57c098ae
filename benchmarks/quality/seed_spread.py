"""``python -m benchmarks.quality.seed_spread``: how much scores vary with the random seed.

Trains the default settings with several random seeds on three recordings. Prints a Markdown table: mean, standard
deviation and range of co-bps on val, and the width of the 95% bootstrap interval over val trials.
"""

import argparse
import os
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context

import numpy as np
import torch

from benchmarks.shared.synthetic_searches import Synthetic
from nlb_search.models.architecture.chain import parse_chain
from nlb_search.models.architecture.network import predict
from nlb_search.models.hyperparameters import Hyperparameters
from nlb_search.models.scoring.bits_per_spike import gains_by_trial
from nlb_search.models.training.state import Training
from nlb_search.models.training.trainer import fit
from nlb_search.models.training.training_plan import Plan
from nlb_search.search.scoring.bootstrap import range_of, resampled_co_bps

RECORDINGS = (
    Synthetic("mc_rtt", neurons=80, trials=500, bin_ms=20),
    Synthetic("mc_maze_small", neurons=50, trials=160, seed=1, bin_ms=20),
    Synthetic("area2_bump", neurons=40, trials=240, seed=1, bin_ms=20),
)
CHAINS = ("GRU(2) -> FF -> exp", "minGRU(2) -> FF -> exp")
PLAN = Plan(epochs=24)


def train(synthetic: Synthetic, chain: str, seed: int) -> tuple[float, float, float]:
    """co-bps on val of one training, and its 95% bootstrap interval over val trials."""
    torch.set_num_threads(1)
    training = Training(parse_chain(chain), Hyperparameters(), PLAN, synthetic.train, seed, torch.device("cpu"))
    val = synthetic.val
    for _ in fit(training, val):
        pass
    assert training.best is not None
    training.network.load_state_dict(training.best.weights)
    gains = gains_by_trial(predict(training.network, val.heldin_BWI), val)
    interval = range_of(resampled_co_bps(gains.gain_B.numpy(), gains.spikes_B.numpy()))
    return training.best.progress.co_bps, interval.low, interval.high


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)))
    options = parser.parse_args()
    print("| recording | chain | mean | standard deviation | range | width of the 95% bootstrap interval |")
    print("|---|---|---|---|---|---|")
    for synthetic in RECORDINGS:
        synthetic.recording  # noqa: B018  generate it once, before the workers start
        for chain in CHAINS:
            with ProcessPoolExecutor(options.workers, get_context("spawn")) as pool:
                results = np.array(list(pool.map(partial(train, synthetic, chain), range(options.seeds))))
            scores, width = results[:, 0], (results[:, 2] - results[:, 1]).mean()
            print(
                f"| {synthetic} | {chain} | {scores.mean():.4f} | {scores.std(ddof=1):.4f} "
                f"| {scores.min():.4f} to {scores.max():.4f} | {width:.4f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
