"""``python -m benchmarks.speed.latency``: time to predict one bin of one trial, in a running experiment.

Networks have the size of mc_rtt and random weights, which do not matter for the time. Prints a Markdown table: the
median, the 99th percentile and the maximum over the bins of many trials, on one thread of the CPU, of ``stream.step``,
and of ``nlb-search predict --stream`` from writing a line of counts to reading the line of rates. The time of an
ensemble is the sum of those of its networks.
"""

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch

from nlb_search.models.architecture.chain import parse_chain
from nlb_search.models.architecture.chain_network import ChainNetwork
from nlb_search.models.hyperparameters import Hyperparameters
from nlb_search.models.tensors import Sizes
from nlb_search.search.ensembles.weighted_networks import WeightedNetwork
from nlb_search.search.exported_models.card import Card
from nlb_search.search.exported_models.model import Model
from nlb_search.search.exported_models.model_folder import save_model
from nlb_search.search.launching.worker_process import MODULE

MC_RTT = Sizes(n_heldin=98, n_heldout=32, n_window=120, n_forward=40)
CHAINS = ("GRU(2) -> FF -> exp", "minGRU(2) -> FF -> exp", "LRU(2) -> FF -> exp", "FF -> exp")
MEAN_COUNT = 0.05
"""Spikes per bin of 5 ms: 10 spikes per second."""

TRIALS = 50
"""Number of trials that are timed, after one that is not."""

CARD = Card(
    study="latency",
    dataset="mc_rtt",
    bin_ms=5,
    content_hash="",
    recording=None,
    sizes=MC_RTT,
    units=None,
    heldin_units=None,
    heldout_units=None,
    trained_on="train",
    seeds=1,
    members=(),
    co_bps=0.0,
    co_bps_low=0.0,
    co_bps_high=0.0,
    versions={},
    exported_with={},
)


def model_of(chain: str) -> Model:
    hyper = Hyperparameters(bidirectional=False)
    network = ChainNetwork(parse_chain(chain), MC_RTT, hyper, torch.full((MC_RTT.n_neurons,), MEAN_COUNT))
    return Model((WeightedNetwork(network, {"architecture": chain, "bidirectional": False}, 1.0),), CARD)


def seconds_of_bins(start_trial: Callable[[], Callable[[np.ndarray], object]]) -> list[float]:
    """The time of each bin. ``start_trial`` gives what predicts the next bin of a new trial from its counts."""
    rng = np.random.default_rng(0)
    seconds = []
    for _ in range(TRIALS + 1):
        step = start_trial()
        for counts_I in rng.poisson(MEAN_COUNT, (MC_RTT.n_window, MC_RTT.n_heldin)):
            began = time.perf_counter()
            step(counts_I)
            seconds.append(time.perf_counter() - began)
    return seconds[MC_RTT.n_window :]


@contextmanager
def through_pipes(model: Model) -> Iterator[Callable[[], Callable[[np.ndarray], object]]]:
    """Start ``predict --stream``; yields a function that starts a trial there."""
    with tempfile.TemporaryDirectory() as folder:
        save_model(Path(folder) / "model", model, [])
        command = [sys.executable, *MODULE, "predict", f"{folder}/model", "--stream"]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            counts, rates = process.stdin, process.stdout
            assert counts is not None
            assert rates is not None

            def step(counts_I: np.ndarray) -> str:
                counts.write(" ".join(map(str, counts_I.tolist())) + "\n")
                counts.flush()
                return rates.readline()

            def start_trial() -> Callable[[np.ndarray], object]:
                counts.write("\n")
                return step

            yield start_trial
            counts.close()


def main() -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    print("| chain, one direction | | median | 99th percentile | maximum |\n|---|---|---|---|---|")
    for chain in CHAINS:
        model = model_of(chain)

        def start_here(model: Model = model) -> Callable[[np.ndarray], object]:
            stream = model.stream()
            return lambda counts_I: stream.step(counts_I[None])

        with through_pipes(model) as start_there:
            for name, start in (("stream.step", start_here), ("predict --stream", start_there)):
                microseconds = 1e6 * np.array(seconds_of_bins(start))
                median, high, most = np.percentile(microseconds, [50, 99, 100])
                print(f"| `{chain}` | `{name}` | {median:.0f} µs | {high:.0f} µs | {most:.0f} µs |", flush=True)


if __name__ == "__main__":
    main()
