"""``python -m benchmarks.quality.population``: population-based training, and independent trainings at equal compute.

Trains ``--networks`` networks of ``rnnf`` on each recording, side by side and without early stopping, in three ways:

- ``seeds``: all have the default settings, and differ in their seed;
- ``drawn``: each has its own learning rate, dropout, weight decay and mask ratio, drawn around the default settings;
- ``population``: starts as ``drawn``; ``ROUNDS`` times, each network of the worst quarter on val continues from the
  state of one of the best quarter, with that network's settings multiplied by 0.8 or 1.25 (Jaderberg et al. 2017,
  https://arxiv.org/abs/1711.09846; lfads-torch trains so).

Prints a Markdown table with test co-bps, without a refit on train + val: of the checkpoint that is best on val, and of
the mean of the rates of the three networks with the best checkpoints. Means and standard errors are over ``--seeds``.
``--log`` keeps each result, so that an interrupted run can be continued.
"""

import argparse
import json
import math
import os
import random
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from statistics import fmean, stdev

import torch
from torch import Tensor

from benchmarks.shared.scored_recordings import ScoredRecording, scored_recordings
from nlb_search.models.architecture.chain import parse_chain
from nlb_search.models.architecture.network import predict
from nlb_search.models.hyperparameters import Hyperparameters
from nlb_search.models.scoring.bits_per_spike import bits_per_spike
from nlb_search.models.tensors import Counts, with_nan
from nlb_search.models.training.trainer import Trainer, ValScorer
from nlb_search.models.training.training import Training
from nlb_search.models.training.training_plan import BATCH_SIZE, TrainingPlan
from nlb_search.search.creation.training_length import EVALUATIONS, default_epochs
from nlb_search.search.recording_tensors import counts_of
from nlb_search.search.sampling.spaces.default_settings import default_settings

CHAIN = parse_chain("GRU(2) -> FF -> exp")
METHODS = ("seeds", "drawn", "population")
ROUNDS = 8
"""Number of times that the worst networks of a population are replaced, evenly spaced in the epochs."""

QUARTER = 4
FACTORS = (0.8, 1.25)
MEMBERS = 3
"""Number of networks in the mean."""


@dataclass(frozen=True)
class Result:
    """Test co-bps of one group of networks, and the CPU time of its training in seconds."""

    recording: str
    method: str
    seed: int
    val: float
    best: float
    mean: float
    seconds: float


def drawn(settings: Hyperparameters, draw: random.Random) -> Hyperparameters:
    """Settings around ``settings``."""
    return replace(
        settings,
        lr=settings.lr * math.exp(draw.uniform(-1.2, 1.2)),
        dropout=draw.uniform(0.15, 0.5),
        mask_ratio=draw.uniform(0.15, 0.45),
        weight_decay=math.exp(draw.uniform(math.log(0.03), math.log(3))),
    )


def changed(settings: Hyperparameters, draw: random.Random) -> Hyperparameters:
    """Settings with each searched value multiplied by one of ``FACTORS``."""
    return replace(
        settings,
        lr=settings.lr * draw.choice(FACTORS),
        dropout=min(0.7, settings.dropout * draw.choice(FACTORS)),
        mask_ratio=min(0.7, settings.mask_ratio * draw.choice(FACTORS)),
        weight_decay=settings.weight_decay * draw.choice(FACTORS),
    )


def train(recording: ScoredRecording, method: str, n_networks: int, seed: int) -> Result:
    """Train one group of networks and score it."""
    torch.set_num_threads(1)
    opened = recording.open()
    counts, val, test = counts_of(opened.train), counts_of(opened.val), recording.test_counts(opened)
    epochs = default_epochs(counts.n_trials)
    plan = TrainingPlan(epochs=epochs, evaluate_every=math.ceil(epochs / EVALUATIONS), batch_size=BATCH_SIZE)
    draw = random.Random(seed)
    defaults = default_settings(CHAIN)
    start = time.process_time()
    trainings = [
        Training(CHAIN, settings, plan, counts, seed * n_networks + number, torch.device("cpu"))
        for number in range(n_networks)
        for settings in [defaults if method == "seeds" else drawn(defaults, draw)]
    ]
    trainer, rounds = Trainer(ValScorer(val)), 0
    while trainings[0].epoch < epochs:
        scores = []
        for training, evaluated in zip(trainings, trainer.advance(trainings), strict=True):
            if isinstance(evaluated, Exception):
                raise evaluated
            training.keep_if_best(evaluated)
            scores.append(evaluated.co_bps)
        if method == "population" and trainings[0].epoch >= epochs * (rounds + 1) / (ROUNDS + 1):
            rounds += 1
            trainings = _next_round(trainings, scores, draw)
    seconds = time.process_time() - start
    # Networks of a population that continue from one another may have the same best checkpoint.
    different = {training.best.evaluation: training for training in trainings if training.best is not None}
    ranked = sorted(different.values(), key=_best_on_val, reverse=True)
    rates_MBTN = torch.stack([_test_rates(training, test) for training in ranked[:MEMBERS]])
    spikes_BTN = _heldout(with_nan(test.counts_BTN), test)
    best, mean = (bits_per_spike(rates, spikes_BTN).item() for rates in (rates_MBTN[0], rates_MBTN.mean(dim=0)))
    return Result(recording.name, method, seed, _best_on_val(ranked[0]), best, mean, seconds)


def _next_round(trainings: Sequence[Training], scores: Sequence[float], draw: random.Random) -> list[Training]:
    """The population after its worst quarter was replaced."""
    ranked = sorted(range(len(trainings)), key=lambda number: -scores[number])
    n_replaced = max(1, len(trainings) // QUARTER)
    following = list(trainings)
    for loser in ranked[-n_replaced:]:
        winner = trainings[draw.choice(ranked[:n_replaced])]
        settings = changed(winner.hyper, draw)
        following[loser] = Training(
            CHAIN, settings, winner.plan, winner.train, trainings[loser].seed + 1_000_000, winner.device
        )
        following[loser].restore(winner.state())
    return following


def _best_on_val(training: Training) -> float:
    assert training.best is not None
    return training.best.evaluation.co_bps


def _test_rates(training: Training, test: Counts) -> Tensor:
    assert training.best is not None
    network = training.averaged_network()
    network.load_state_dict(training.best.weights)
    return _heldout(predict(network, test.heldin_BWI), test)


def _heldout(values_BTN: Tensor, counts: Counts) -> Tensor:
    return values_BTN[:, : counts.sizes.n_window, counts.sizes.n_heldin :]


def table(results: Sequence[Result]) -> str:
    """One row per recording and method."""
    lines = [
        "| recording | method | val | test, best network | test, mean of three | CPU s |",
        "|---|---|---|---|---|---|",
    ]
    for recording in dict.fromkeys(result.recording for result in results):
        for method in METHODS:
            found = [r for r in results if (r.recording, r.method) == (recording, method)]
            if found:
                cells = (_mean([getattr(result, name) for result in found]) for name in ("val", "best", "mean"))
                seconds = fmean(result.seconds for result in found)
                lines.append(f"| {recording} | {method} | {' | '.join(cells)} | {seconds:.0f} |")
    return "\n".join(lines)


def _mean(values: Sequence[float]) -> str:
    error = f" ± {stdev(values) / math.sqrt(len(values)):.4f}" if len(values) > 1 else ""
    return f"{fmean(values):.4f}{error}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--real", nargs="*", default=[], metavar="FILE:BIN_MS")
    parser.add_argument("--only", nargs="*", help="names of recordings to use, for example lorenz-0")
    parser.add_argument("--networks", type=int, default=8)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--log", type=Path, required=True, help="file of results, which are not computed again")
    options = parser.parse_args()
    results = (
        [Result(**json.loads(line)) for line in options.log.read_text().splitlines()] if options.log.exists() else []
    )
    done = {(result.recording, result.method, result.seed) for result in results}
    recordings = scored_recordings(options.real, options.only, draws=1)
    with ProcessPoolExecutor(options.workers, get_context("spawn"), max_tasks_per_child=1) as pool:
        pending = [
            pool.submit(train, recording, method, options.networks, seed)
            for recording in recordings
            for seed in range(options.seeds)
            for method in METHODS
            if (recording.name, method, seed) not in done
        ]
        for future in as_completed(pending):
            results.append(future.result())
            with options.log.open("a") as log:
                log.write(json.dumps(asdict(results[-1])) + "\n")
    chosen = {recording.name for recording in recordings}
    print(table([result for result in results if result.recording in chosen]), flush=True)


if __name__ == "__main__":
    main()
