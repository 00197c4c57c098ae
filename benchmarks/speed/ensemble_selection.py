"""``python -m benchmarks.speed.ensemble_selection``: time to select an ensemble from 20 and from 200 trials.

The candidates have random rates in the size of mc_maze's val trials, the largest of the benchmark. Prints a Markdown
table: seconds of CPU time, on one thread, to read the candidates' rates from checkpoints and to select; and, for
comparison, to compute the rates with as many networks, estimated from one.
"""

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor

from benchmarks.shared.synthetic_searches import random_counts
from nlb_search.models.architecture.chain import parse_chain
from nlb_search.models.architecture.chain_network import ChainNetwork
from nlb_search.models.architecture.network import predict
from nlb_search.models.hyperparameters import Hyperparameters
from nlb_search.models.tensors import Sizes
from nlb_search.search.ensembles.ensemble_selection import select_ensemble
from nlb_search.storage.checkpoints import Checkpoint, load_checkpoint, save_checkpoint

MC_MAZE, VAL_TRIALS = Sizes(n_heldin=137, n_heldout=45, n_window=140, n_forward=40), 574
RNNF, HYPER = parse_chain("GRU(2) -> FF -> exp"), Hyperparameters(hidden=76)
NOISE = 0.5
"""Standard deviation of the candidates' log-rates around the true ones."""


def candidates(n_candidates: int, rates_BTN: Tensor) -> Iterator[Tensor]:
    """Rates with independent errors."""
    generator = torch.Generator().manual_seed(0)
    for _ in range(n_candidates):
        yield rates_BTN * torch.exp(NOISE * torch.randn(rates_BTN.shape, generator=generator))


def main() -> None:
    torch.set_num_threads(1)
    counts = random_counts(VAL_TRIALS, MC_MAZE)
    started = time.process_time()
    predict(ChainNetwork(RNNF, MC_MAZE, HYPER, torch.zeros(MC_MAZE.n_neurons)), counts.heldin_BWI)
    network_seconds = time.process_time() - started
    rates_BTN = torch.rand(VAL_TRIALS, MC_MAZE.n_window, MC_MAZE.n_heldout, generator=torch.Generator().manual_seed(1))
    spikes_BTN = torch.poisson(rates_BTN * 0.1)
    print("| trials | read rates and select | compute rates instead | size of a trial's rates |")
    print("|---|---|---|---|")
    for n_candidates in (20, 200):
        with tempfile.TemporaryDirectory() as folder:
            paths = [Path(folder) / f"{index}.safetensors" for index in range(n_candidates)]
            for path, of_one_BTN in zip(paths, candidates(n_candidates, rates_BTN * 0.1), strict=True):
                save_checkpoint(path, Checkpoint({"rates_BTN": of_one_BTN.half()}, {}))
            started = time.process_time()
            select_ensemble((load_checkpoint(path).tensors["rates_BTN"].float() for path in paths), spikes_BTN)
            seconds = time.process_time() - started
            megabytes = paths[0].stat().st_size / 1e6
        instead = f"{network_seconds * n_candidates:.0f} s"
        print(f"| {n_candidates} | {seconds:.1f} s | {instead} | {megabytes:.1f} MB |")


if __name__ == "__main__":
    main()
