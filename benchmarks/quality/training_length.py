"""``python -m benchmarks.quality.training_length``: how test co-bps depends on the length of a trial.

Trains `rnnf` with its default settings and several seeds, on real recordings (``--real session.nwb:20``: the file and
the bin width in ms, with ``session.toml`` beside it) and on synthetic ones with hard dynamics. For several numbers of
steps, the checkpoint that is best on val until then is scored on test, without a refit on train + val; so is the
checkpoint that early stopping chooses. Prints a Markdown table as it goes.
"""

import argparse
import math
import time
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from benchmarks.shared.scored_recordings import ScoredRecording, hard_recordings, real_recordings
from nlb_search.models.architecture.chain import parse_chain
from nlb_search.models.scoring.bits_per_spike import co_bps
from nlb_search.models.training.stacked_trainings import StackedTrainings
from nlb_search.models.training.training import Training
from nlb_search.models.training.training_plan import BATCH_SIZE, TrainingPlan
from nlb_search.search.creation.training_length import EVALUATIONS, default_epochs
from nlb_search.search.recording_tensors import counts_of
from nlb_search.search.sampling.spaces.default_settings import default_settings

CHAIN = parse_chain("GRU(2) -> FF -> exp")
STEPS = (60, 125, 250, 500, 1000, 2000)


@dataclass(frozen=True)
class Curves:
    """Scores of K seeds at E evaluations: the epoch of each, and co-bps on val and test, evaluations x seeds."""

    plan: TrainingPlan
    epochs_E: npt.NDArray[np.int64]
    val_EK: npt.NDArray[np.float64]
    test_EK: npt.NDArray[np.float64]

    def test_within(self, epochs: float) -> npt.NDArray[np.float64]:
        """Test score of each seed's checkpoint that is best on val in the first ``epochs`` epochs."""
        n_evaluations = max(1, np.count_nonzero(self.epochs_E <= epochs))
        best_K = self.val_EK[:n_evaluations].argmax(axis=0)
        return np.take_along_axis(self.test_EK, best_K[None], axis=0).squeeze(0)

    def stopped_at(self, seed: int) -> int:
        """Epoch after which early stopping ends the training of a seed."""
        best = 0
        for evaluation, epoch in enumerate(self.epochs_E):
            if self.val_EK[evaluation, seed] > self.val_EK[best, seed]:
                best = evaluation
            if self.plan.is_over(int(epoch), int(self.epochs_E[best])):
                return int(epoch)
        return self.plan.epochs


def train(scored: ScoredRecording, epochs: int, seeds: int) -> Curves:
    """Train all seeds side by side, without early stopping, and evaluate them on val and test."""
    recording = scored.open()
    plan = TrainingPlan(epochs=epochs, evaluate_every=math.ceil(epochs / EVALUATIONS), batch_size=BATCH_SIZE)
    counts, device = counts_of(recording.train), torch.device("cpu")
    splits = (counts_of(recording.val), scored.test_counts(recording))
    trainings = [Training(CHAIN, default_settings(CHAIN), plan, counts, seed, device) for seed in range(seeds)]
    side_by_side = StackedTrainings(trainings)
    evaluated, scores = [], []
    for epoch in range(1, epochs + 1):
        side_by_side.train_epoch(lambda: False)
        for training in trainings:
            training.epoch = epoch
        if plan.is_evaluation(epoch):
            evaluated.append(epoch)
            rates = [side_by_side.rates(split.heldin_BWI) for split in splits]
            scores.append(
                [
                    [co_bps(of_one, split).item() for of_one in of_all]
                    for of_all, split in zip(rates, splits, strict=True)
                ]
            )
    val_EK, test_EK = np.array(scores).transpose(1, 0, 2)
    return Curves(plan, np.array(evaluated), val_EK, test_EK)


def row(scored: ScoredRecording, length: float, seeds: int) -> str:
    """The line of one recording; ``length`` multiplies the default maximum number of epochs."""
    n_trials = scored.open().train.n_trials
    epochs = round(length * default_epochs(n_trials))
    start = time.process_time()
    curves = train(scored, epochs, seeds)
    seconds = (time.process_time() - start) / seeds
    steps_per_epoch = curves.plan.steps_per_epoch(n_trials)
    limits = [steps / steps_per_epoch for steps in STEPS]
    cells = [_mean(curves.test_within(limit)) if limit <= epochs else "" for limit in limits]
    ends = [curves.stopped_at(seed) for seed in range(seeds)]
    stopped = np.array([curves.test_within(end)[seed] for seed, end in enumerate(ends)])
    cells += [_mean(stopped), f"{np.mean(ends):.0f} of {epochs}", f"{seconds:.0f}"]
    return f"| {scored.name}, {n_trials} train trials | {' | '.join(cells)} |"


def _mean(scores: npt.NDArray[np.float64]) -> str:
    """The mean over seeds, with its standard error."""
    return f"{scores.mean():.4f} ± {scores.std(ddof=1) / math.sqrt(len(scores)):.4f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--real", nargs="*", default=[], metavar="FILE:BIN_MS")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--length", type=float, default=1.0, help="multiple of the default maximum number of epochs")
    parser.add_argument("--only-real", action="store_true", help="leave the synthetic recordings out")
    options = parser.parse_args()
    torch.set_num_threads(1)
    recordings = real_recordings(options.real) + ([] if options.only_real else hard_recordings(seed=0))
    limits = [f"{steps} steps" for steps in STEPS]
    columns = ["recording", *limits, "early stopping", "epochs", "CPU s per seed"]
    print(f"| {' | '.join(columns)} |\n|{'---|' * len(columns)}")
    for scored in recordings:
        print(row(scored, options.length, options.seeds), flush=True)


if __name__ == "__main__":
    main()
