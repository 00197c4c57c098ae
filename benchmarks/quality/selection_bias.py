"""``python -m benchmarks.quality.selection_bias``: how much the best of many trials on val flatters, and what helps.

Many settings of the wide space are trained on recordings with few val trials, whose true rates are known. Each gets
its co-bps on val as a search sees it (the best of all looks), and on test as it would be on average over the spikes
that the true rates could have given. Then a search of n trials is drawn from them, many times, and its winner chosen
in several ways:

- best on val: as a search does
- last look: by the score after the last epoch, which no choice among looks has flattered
- smoothed: by the best mean of three looks in a row
- rescored: among the five best on val, by cross-validation on train + val, as ``nlb-search rescore`` does
- mean of five: the five best on val, their rates averaged, as ``export-best --ensemble 5`` does

Prints one Markdown table for each recording, by n: what val and the folds say of the winner, and what test says of each
choice.
"""

import argparse
import os
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context

import numpy as np
import numpy.typing as npt
import optuna
import torch

from benchmarks.shared.synthetic_searches import Synthetic
from nlb_search.models.architecture.chain import parse_chain
from nlb_search.models.architecture.network import predict
from nlb_search.models.errors import DivergedError
from nlb_search.models.scoring.bits_per_spike import co_bps
from nlb_search.models.tensors import Counts
from nlb_search.models.training.state import Training
from nlb_search.models.training.trainer import fit, train_through
from nlb_search.models.training.training_plan import Plan
from nlb_search.search.recording_tensors import counts_of, heldin_of
from nlb_search.search.rescoring.cross_validation import fold_trials
from nlb_search.search.sampling.space import sample, space_for
from nlb_search.search.sampling.space_file import named_space
from nlb_search.search.workers.trial import settings_of

RECORDINGS = (
    Synthetic("mc_maze_small", neurons=50, trials=160, seed=1, bin_ms=20),
    Synthetic("mc_rtt", neurons=50, trials=250, seed=1, bin_ms=20),
)
CHAIN = "minGRU(2) -> FF -> exp"
PLAN = Plan(epochs=40)
SPLITS = 4
FINALISTS = 5
COUNTS = (1, 2, 4, 8, 16, 32, 64)
DRAWS = 400

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Trained:
    """One setting: its evaluations, its rates on test, its score there, and its mean score over the folds."""

    looks: Array
    test_rates: torch.Tensor
    test: float
    folds: float

    @property
    def val(self) -> float:
        return float(self.looks.max())

    @property
    def smoothed(self) -> float:
        return float(np.convolve(self.looks, np.ones(3) / 3, mode="valid").max())


def trained(synthetic: Synthetic, number: int) -> Trained | None:
    """Train the setting of one number; None if that diverges."""
    torch.set_num_threads(1)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=number))
    space = space_for(named_space("wide"), [parse_chain(CHAIN)])
    chain, hyper = settings_of(sample(study.ask(), space, (CHAIN,)))
    recording = synthetic.recording
    assert recording.test is not None
    train_val = counts_of(recording.train_val)

    def begin(train: Counts) -> Training:
        return Training(parse_chain(chain), hyper, PLAN, train, number, torch.device("cpu"))

    try:
        training = begin(synthetic.train)
        looks = np.array([progress.co_bps for progress in fit(training, synthetic.val)])
        assert training.best is not None
        folds = []
        cut = fold_trials(train_val.n_trials, SPLITS, seed=0)
        for fold, trials in enumerate(cut):
            rest = torch.cat([others for index, others in enumerate(cut) if index != fold])
            on_rest = begin(train_val.of_trials(rest))
            train_through(on_rest, training.best.progress.epoch)
            held = train_val.of_trials(trials)
            folds.append(co_bps(predict(on_rest.averaged_network(), held.heldin_BWI), held).item())
    except DivergedError:
        return None
    training.network.load_state_dict(training.best.weights)
    test_rates = predict(training.network, heldin_of(recording.test))
    return Trained(looks, test_rates, synthetic.expected_score(test_rates, "test"), float(np.mean(folds)))


def chosen(synthetic: Synthetic, search: list[Trained]) -> list[float]:
    """What val and the folds say of the best of one search, and what test says of each way to choose."""
    by_val = sorted(search, key=lambda setting: -setting.val)
    finalists = by_val[:FINALISTS]
    mean_rates = torch.stack([setting.test_rates for setting in finalists]).mean(dim=0)
    return [
        by_val[0].val,
        by_val[0].folds,
        by_val[0].test,
        max(search, key=lambda setting: setting.looks[-1]).test,
        max(search, key=lambda setting: setting.smoothed).test,
        max(finalists, key=lambda setting: setting.folds).test,
        synthetic.expected_score(mean_rates, "test"),
        max(setting.test for setting in search),
    ]


def table(synthetic: Synthetic, settings: list[Trained]) -> str:
    """Means over draws, a line for each number of trials."""
    rng = np.random.default_rng(0)
    lines = [
        f"{synthetic}: {synthetic.recording.val.n_trials} val trials; {len(settings)} settings",
        "",
        "| trials | winner on val | its folds | test: by val | last look | smoothed | rescored | mean of five | best |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for count in COUNTS:
        if count > len(settings):
            break
        draws = [rng.choice(len(settings), count, replace=False) for _ in range(DRAWS if count < len(settings) else 1)]
        means = np.mean([chosen(synthetic, [settings[index] for index in draw]) for draw in draws], axis=0)
        lines.append(f"| {count} | " + " | ".join(f"{mean:.4f}" for mean in means) + " |")
    return "\n".join(lines)


def offsets(settings: list[Trained]) -> str:
    """How far val and the folds are from test on average, over settings that nobody chose."""
    val = np.mean([setting.val - setting.test for setting in settings])
    folds = np.mean([setting.folds - setting.test for setting in settings])
    return f"val is {val:+.4f} and the folds are {folds:+.4f} from test"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--settings", type=int, default=64)
    parser.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)))
    options = parser.parse_args()
    for synthetic in RECORDINGS:
        synthetic.recording  # noqa: B018  made once, before workers would
        with ProcessPoolExecutor(options.workers, get_context("spawn")) as pool:
            settings = [found for found in pool.map(partial(trained, synthetic), range(options.settings)) if found]
        print(table(synthetic, settings), flush=True)
        print(f"\nOver all settings, {offsets(settings)}: what a split itself gives, without any choice.\n", flush=True)


if __name__ == "__main__":
    main()
