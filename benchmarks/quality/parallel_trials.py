"""``python -m benchmarks.quality.parallel_trials``: the constant liar of tpe with 1, 4 and 16 trials at once.

With several workers, the sampler suggests a trial while others have no result yet. The constant liar counts these as
bad ones, so that workers do not try the same settings. Searches of the wide space are simulated, with it and without
it: the score of a trial is an analytic function of its settings, drawn at random for each of ``--functions`` seeds,
plus noise, and each trial takes a random time. No network is trained.

Prints a Markdown table with means over functions and their standard errors: how much less than the best possible score
the best trial has, without noise, after a third of the trials and after all; the distance between a new trial and the
nearest of those that run at the same time; and the time of a search, in mean durations of a trial.
"""

import argparse
import heapq
import math
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import product
from multiprocessing import get_context
from statistics import fmean, stdev
from typing import Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.samplers import BaseSampler, TPESampler

from nlb_search.models.architecture.chain import parse_chain
from nlb_search.search.sampling.samplers import START_TRIALS, make_sampler
from nlb_search.search.sampling.sampling_settings import SamplingSettings
from nlb_search.search.sampling.spaces.predefined_spaces import space_for
from nlb_search.search.sampling.spaces.space_file import named_space
from nlb_search.search.sampling.spaces.trial_parameters import sample

CHAIN = "GRU(2) -> FF -> exp"
TRIALS = 60
EARLY = TRIALS // 3
AT_ONCE = (1, 4, 16)
NOISE = 0.003
"""Standard deviation of a score between seeds, in co-bps, as on real recordings."""

LARGEST_LOSS = 0.15
"""A setting at the wrong end of its range loses at most this, in co-bps."""


class Landscape:
    """A score for all settings of the wide space: the best is 0, and each setting loses what it is away from its best.

    The loss is the square of the distance for numbers, and drawn for each choice; most settings matter little.
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def score(self, params: Mapping[str, Any], distributions: Mapping[str, BaseDistribution]) -> float:
        return -sum(self._loss(name, distributions[name], value) for name, value in params.items())

    def _loss(self, name: str, distribution: BaseDistribution, value: Any) -> float:
        draw = np.random.default_rng([self._seed, *name.encode()])
        largest = LARGEST_LOSS * draw.random() ** 3
        if isinstance(distribution, CategoricalDistribution):
            losses = draw.random(len(distribution.choices))
            index = distribution.choices.index(value)
            return float(largest * (losses[index] - losses.min()))
        best = draw.random()
        return float(largest * (position(distribution, value) - best) ** 2 / max(best, 1 - best) ** 2)


def position(distribution: BaseDistribution, value: float) -> float:
    """Where a number lies in its range, from 0 to 1."""
    assert isinstance(distribution, FloatDistribution | IntDistribution)
    scaled = math.log if distribution.log else float
    low, high = scaled(distribution.low), scaled(distribution.high)
    return (scaled(value) - low) / (high - low)


@dataclass(frozen=True)
class Search:
    """The result of a simulated search. ``apart`` is the mean distance of each trial's numbers from the nearest of the
    trials that ran when it began, or None if there were none.
    """

    at_once: int
    is_liar: bool
    early: float
    best: float
    apart: float | None
    duration: float


def search(at_once: int, is_liar: bool, seed: int) -> Search:
    """Simulate a search of TRIALS trials, ``at_once`` at a time."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    landscape, draw = Landscape(seed), np.random.default_rng([seed, at_once])
    settings = SamplingSettings(
        sampler="tpe",
        pruner="none",
        space_name="wide",
        space=space_for(named_space("wide"), [parse_chain(CHAIN)]),
        architectures=(CHAIN,),
        trials=TRIALS,
        epochs=1,
        evaluate_every=1,
        seed=seed,
    )
    study = optuna.create_study(direction="maximize")
    running: list[tuple[float, int, optuna.Trial]] = []
    scores: list[float] = []
    distances: list[float] = []
    now = 0.0
    for number in range(TRIALS):
        if len(running) == at_once:
            now = _finish(running, study, landscape, scores, draw)
        study.sampler = _sampler(settings, number, is_liar)
        trial = study.ask()
        sample(trial, settings.space, settings.architectures)
        if running:
            distances.append(min(_distance(trial, other) for _, _, other in running))
        heapq.heappush(running, (now + draw.uniform(0.5, 1.5), number, trial))
    while running:
        now = _finish(running, study, landscape, scores, draw)
    return Search(at_once, is_liar, -max(scores[:EARLY]), -max(scores), fmean(distances) if distances else None, now)


def _sampler(settings: SamplingSettings, number: int, is_liar: bool) -> BaseSampler:
    """The sampler of the service, or the same one without the constant liar."""
    if is_liar or number < START_TRIALS:
        return make_sampler(settings, number)
    return TPESampler(n_startup_trials=START_TRIALS, seed=settings.trial_seed(number), constant_liar=False)


def _finish(
    running: list[tuple[float, int, optuna.Trial]],
    study: optuna.Study,
    landscape: Landscape,
    scores: list[float],
    draw: np.random.Generator,
) -> float:
    """End the trial that is done first. Returns the time."""
    now, _, trial = heapq.heappop(running)
    score = landscape.score(trial.params, trial.distributions)
    scores.append(score)
    study.tell(trial, score + draw.normal(0, NOISE))
    return now


def _distance(trial: optuna.Trial, other: optuna.Trial) -> float:
    """The mean difference of the numbers that both trials have, in fractions of their ranges."""
    return fmean(
        abs(position(distribution, trial.params[name]) - position(distribution, other.params[name]))
        for name, distribution in trial.distributions.items()
        if name in other.params and not isinstance(distribution, CategoricalDistribution)
    )


def table(searches: Sequence[Search]) -> str:
    lines = [
        f"| trials at once | constant liar | lost after {EARLY} trials | after {TRIALS} | apart | duration |",
        "|---|---|---|---|---|---|",
    ]
    for at_once, is_liar in product(AT_ONCE, (False, True)):
        found = [result for result in searches if (result.at_once, result.is_liar) == (at_once, is_liar)]
        apart = [result.apart for result in found if result.apart is not None]
        cells = [
            str(at_once),
            "yes" if is_liar else "no",
            _with_error([result.early for result in found]),
            _with_error([result.best for result in found]),
            f"{fmean(apart):.3f}" if apart else "",
            f"{fmean(result.duration for result in found):.1f}",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _with_error(values: Sequence[float]) -> str:
    return f"{fmean(values):.4f} ± {stdev(values) / math.sqrt(len(values)):.4f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--functions", type=int, default=40, help="number of functions, each searched in every way")
    parser.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)))
    options = parser.parse_args()
    wanted = list(product(AT_ONCE, (False, True), range(options.functions)))
    with ProcessPoolExecutor(options.workers, get_context("spawn")) as pool:
        print(table(list(pool.map(search, *zip(*wanted, strict=True)))), flush=True)


if __name__ == "__main__":
    main()
