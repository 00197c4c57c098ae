"""``python -m benchmarks.speed.latency``: time to predict one bin of one trial, in a running experiment.

Networks have the size of mc_rtt and random weights, which do not matter for the time. Prints a Markdown table: the
median, the 99th percentile and the maximum over the bins of many trials, on one thread of the CPU. The time of an
ensemble is the sum of those of its networks.
"""

import time

import numpy as np
import torch

from nlb_search.models.architecture.chain import parse_chain
from nlb_search.models.architecture.chain_network import ChainNetwork
from nlb_search.models.architecture.stream import Stream
from nlb_search.models.hyperparameters import Hyperparameters
from nlb_search.models.tensors import Sizes

MC_RTT = Sizes(n_heldin=98, n_heldout=32, n_window=120, n_forward=40)
CHAINS = ("GRU(2) -> FF -> exp", "minGRU(2) -> FF -> exp", "LRU(2) -> FF -> exp", "FF -> exp")
MEAN_COUNT = 0.05
"""Spikes per bin of 5 ms: 10 spikes per second."""

TRIALS = 50
"""Number of trials that are timed, after one that is not."""


def seconds_of_bins(chain: str) -> list[float]:
    """The time of each bin."""
    hyper = Hyperparameters(bidirectional=False)
    network = ChainNetwork(parse_chain(chain), MC_RTT, hyper, torch.full((MC_RTT.n_neurons,), MEAN_COUNT))
    seconds = []
    for _ in range(TRIALS + 1):
        stream = Stream(network)
        for counts_1I in torch.poisson(torch.full((MC_RTT.n_window, 1, MC_RTT.n_heldin), MEAN_COUNT)):
            began = time.perf_counter()
            stream.step(counts_1I)
            seconds.append(time.perf_counter() - began)
    return seconds[MC_RTT.n_window :]


def main() -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    print("| chain, one direction | median | 99th percentile | maximum |\n|---|---|---|---|")
    for chain in CHAINS:
        microseconds = 1e6 * np.array(seconds_of_bins(chain))
        median, high, most = np.percentile(microseconds, [50, 99, 100])
        print(f"| `{chain}` | {median:.0f} µs | {high:.0f} µs | {most:.0f} µs |")


if __name__ == "__main__":
    main()
