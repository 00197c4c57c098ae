"""``python -m benchmarks.quality.selection_bias``: how much the val score of the best of many trials is biased.

Trains many settings of the wide space on recordings with few val trials and known true rates. The val score of a
setting is the best of all evaluations, as in a search; its test score is the expected co-bps over spikes drawn from the
true rates. Then draws searches of n trials from these settings and selects the best trial of each in several ways:

- best on val: the best val score, as a search does
- last evaluation: the val score after the last epoch, which is not biased by the choice of an evaluation
- smoothed: the best mean of three consecutive evaluations
- rescored: the best of the five best on val by cross-validation on train + val, as ``nlb-search rescore`` does
- mean of five: the averaged rates of the five best on val, as ``export-best --ensemble 5`` does

Prints one Markdown table per recording, one row per n: the scores of the best trial on val and in cross-validation, and
the test score of each selection.
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
from nlb_search.models.training.trainer import fit, train_through
from nlb_search.models.training.training import Training
from nlb_search.models.training.training_plan import TrainingPlan
from nlb_search.search.recording_tensors import counts_of, heldin_of
from nlb_search.search.rescoring.cross_validation import fold_trials
from nlb_search.search.sampling.spaces.predefined_spaces import space_for
from nlb_search.search.sampling.spaces.space_file import named_space
from nlb_search.search.sampling.spaces.trial_parameters import sample
from nlb_search.search.workers.trial_replicates import split_settings

RECORDINGS = (
    Synthetic("mc_maze_small", neurons=50, trials=160, seed=1, bin_ms=20),
    Synthetic("mc_rtt", neurons=50, trials=250, seed=1, bin_ms=20),
)
CHAIN = "minGRU(2) -> FF -> exp"
PLAN = TrainingPlan(epochs=40)
SPLITS = 4
FINALISTS = 5
N_TRIALS = (1, 2, 4, 8, 16, 32, 64)
DRAWS = 400

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class TrainedSetting:
    """Results of a setting. ``evaluations`` are val scores; ``folds`` is the mean score over cross-validation folds."""

    evaluations: Array
    test_rates: torch.Tensor
    test: float
    folds: float

    @property
    def val(self) -> float:
        return float(self.evaluations.max())

    @property
    def smoothed(self) -> float:
        return float(np.convolve(self.evaluations, np.ones(3) / 3, mode="valid").max())


def train(synthetic: Synthetic, number: int) -> TrainedSetting | None:
    """Train the random setting with this number; None if training diverges."""
    torch.set_num_threads(1)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=number))
    space = space_for(named_space("wide"), [parse_chain(CHAIN)])
    architecture, hyper = split_settings(sample(study.ask(), space, (CHAIN,)))
    recording = synthetic.recording
    assert recording.test is not None
    train_val = counts_of(recording.train_val)

    def new_training(counts: Counts) -> Training:
        return Training(architecture, hyper, PLAN, counts, number, torch.device("cpu"))

    try:
        training = new_training(synthetic.train)
        evaluations = np.array([evaluation.co_bps for evaluation in fit(training, synthetic.val)])
        assert training.best is not None
        folds = []
        split = fold_trials(train_val.n_trials, SPLITS, seed=0)
        for fold, trials in enumerate(split):
            rest = torch.cat([others for index, others in enumerate(split) if index != fold])
            on_rest = new_training(train_val.of_trials(rest))
            train_through([on_rest], training.best.evaluation.epoch)
            held_out = train_val.of_trials(trials)
            folds.append(co_bps(predict(on_rest.averaged_network(), held_out.heldin_BWI), held_out).item())
    except DivergedError:
        return None
    training.network.load_state_dict(training.best.weights)
    test_rates = predict(training.network, heldin_of(recording.test))
    return TrainedSetting(evaluations, test_rates, synthetic.expected_score(test_rates, "test"), float(np.mean(folds)))


def scores_of_selections(synthetic: Synthetic, search: list[TrainedSetting]) -> list[float]:
    """Scores of the best trial of a search on val and in cross-validation, and the test score of each selection."""
    by_val = sorted(search, key=lambda setting: -setting.val)
    finalists = by_val[:FINALISTS]
    mean_rates = torch.stack([setting.test_rates for setting in finalists]).mean(dim=0)
    return [
        by_val[0].val,
        by_val[0].folds,
        by_val[0].test,
        max(search, key=lambda setting: setting.evaluations[-1]).test,
        max(search, key=lambda setting: setting.smoothed).test,
        max(finalists, key=lambda setting: setting.folds).test,
        synthetic.expected_score(mean_rates, "test"),
        max(setting.test for setting in search),
    ]


def table(synthetic: Synthetic, settings: list[TrainedSetting]) -> str:
    """Means over random draws, one row per number of trials."""
    rng = np.random.default_rng(0)
    lines = [
        f"{synthetic}: {synthetic.recording.val.n_trials} val trials; {len(settings)} settings",
        "",
        "| trials | val | cross-validation | test: best on val | last evaluation | smoothed | rescored | mean of five "
        "| best on test |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for count in N_TRIALS:
        if count > len(settings):
            break
        draws = [rng.choice(len(settings), count, replace=False) for _ in range(DRAWS if count < len(settings) else 1)]
        means = np.mean(
            [scores_of_selections(synthetic, [settings[index] for index in draw]) for draw in draws], axis=0
        )
        lines.append(f"| {count} | " + " | ".join(f"{mean:.4f}" for mean in means) + " |")
    return "\n".join(lines)


def offsets(settings: list[TrainedSetting]) -> str:
    """Mean difference of the val and cross-validation scores from test over all settings, without selection."""
    val = np.mean([setting.val - setting.test for setting in settings])
    folds = np.mean([setting.folds - setting.test for setting in settings])
    return f"val - test is {val:+.4f} and cross-validation - test is {folds:+.4f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--settings", type=int, default=64)
    parser.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)))
    options = parser.parse_args()
    for synthetic in RECORDINGS:
        synthetic.recording  # noqa: B018  generate it once, before the workers start
        with ProcessPoolExecutor(options.workers, get_context("spawn")) as pool:
            settings = [result for result in pool.map(partial(train, synthetic), range(options.settings)) if result]
        print(table(synthetic, settings), flush=True)
        print(f"\nMean over all settings, without selection: {offsets(settings)}.\n", flush=True)


if __name__ == "__main__":
    main()
