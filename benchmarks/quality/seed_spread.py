"""``python -m benchmarks.quality.seed_spread``: how much scores vary with the random seed.

Trains the default settings of two chains with several random seeds on real recordings (``--real session.nwb:20``: the
file and the bin width in ms, with ``session.toml`` beside it) and on three synthetic ones. Prints a Markdown table:
mean, standard deviation and range of co-bps on val, the mean width of its 95% bootstrap interval over val trials, and
the standard deviation of co-bps on test.
"""

import argparse
import os
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import product
from multiprocessing import get_context

import numpy as np

from benchmarks.shared.scored_recordings import ScoredRecording, scored_recordings
from benchmarks.shared.trained_networks import best_network, train_networks
from nlb_search.models.architecture.network import predict
from nlb_search.models.scoring.bits_per_spike import co_bps, gains_by_trial
from nlb_search.search.recording_tensors import counts_of
from nlb_search.search.scoring.bootstrap import percentile_interval, resampled_co_bps

CHAINS = ("GRU(2) -> FF -> exp", "minGRU(2) -> FF -> exp")


def row(seeds: int, case: tuple[ScoredRecording, str]) -> str:
    """The table's line of one recording and chain."""
    recording, chain = case
    opened = recording.open()
    val, test = counts_of(opened.val), recording.test_counts(opened)
    scores, widths, on_test = [], [], []
    for training in train_networks(counts_of(opened.train), val, chain, {}, seeds):
        network = best_network(training)
        gains = gains_by_trial(predict(network, val.heldin_BWI), val)
        interval = percentile_interval(resampled_co_bps(gains.gain_B.numpy(), gains.spikes_B.numpy()))
        scores.append(gains.bits_per_spike.item())
        widths.append(interval.high - interval.low)
        on_test.append(co_bps(predict(network, test.heldin_BWI), test).item())
    return (
        f"| {recording.name} | {chain} | {np.mean(scores):.4f} | {np.std(scores, ddof=1):.4f} "
        f"| {min(scores):.4f} to {max(scores):.4f} | {np.mean(widths):.4f} | {np.std(on_test, ddof=1):.4f} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--real", nargs="*", default=[], metavar="FILE:BIN_MS")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)))
    options = parser.parse_args()
    print("| recording | chain | mean | standard deviation | range | width of the 95% bootstrap interval | on test |")
    print("|---|---|---|---|---|---|---|")
    cases = product(scored_recordings(options.real, None, draws=0), CHAINS)
    with ProcessPoolExecutor(options.workers, get_context("spawn")) as pool:
        for line in pool.map(partial(row, options.seeds), cases):
            print(line, flush=True)


if __name__ == "__main__":
    main()
