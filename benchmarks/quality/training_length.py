"""``python -m benchmarks.quality.training_length``: how test co-bps depends on the length of a trial.

Trains `rnnf` with its default settings and several seeds for the default number of steps and for multiples of it, on
real recordings (``--real session.nwb:20``: the file and the bin width in ms, with ``session.toml`` beside it) and on
synthetic ones with hard dynamics. Each run's best checkpoint is chosen on val and scored on test, once with the
weights themselves and once with their exponential moving average. Prints a Markdown table as it goes.
"""

import argparse
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
import numpy.typing as npt
import torch

from benchmarks.shared.hard_dynamics import HARD_RECORDINGS
from nlb_search.data.opening import open_recording
from nlb_search.data.own.recording_settings import read_settings
from nlb_search.models.architecture.chain import parse_chain
from nlb_search.models.scoring.bits_per_spike import co_bps
from nlb_search.models.tensors import UNKNOWN, Counts
from nlb_search.models.training.side_by_side import SideBySide
from nlb_search.models.training.state import Training
from nlb_search.models.training.training_plan import Plan
from nlb_search.search.recording_tensors import counts_of, sizes_of
from nlb_search.search.sampling.space import default_settings
from nlb_search.search.study.training_length import BATCH_SIZE, EVALUATIONS, default_epochs

CHAIN = parse_chain("GRU(2) -> FF -> exp")
SETTINGS = default_settings(CHAIN)
AVERAGE_DECAY = 0.98
"""Decay of the moving average of weights per step, about 50 steps of memory."""


@dataclass(frozen=True)
class Splits:
    """A recording in three parts; ``test`` holds the targets of held-out neurons in the window."""

    name: str
    train: Counts
    val: Counts
    test: Counts


@dataclass(frozen=True)
class Run:
    """Scores of one set of checkpoints, evaluations x seeds: co-bps on val and on test."""

    val: npt.NDArray[np.float64]
    test: npt.NDArray[np.float64]

    def __str__(self) -> str:
        """Val, test with its standard error over seeds, and test of the last evaluation, as cells of a table."""
        best = self.val.argmax(axis=0)[None]
        val, test = (np.take_along_axis(scores, best, axis=0)[0] for scores in (self.val, self.test))
        error = test.std(ddof=1) / np.sqrt(len(test))
        return f"{val.mean():.4f} | {test.mean():.4f} ± {error:.4f} | {self.test[-1].mean():.4f}"

    @property
    def best_evaluation(self) -> float:
        """Which evaluation scores best on val, as a share of the run, averaged over seeds."""
        return float((self.val.argmax(axis=0).mean() + 1) / len(self.val))


def real_recording(file: Path, bin_ms: int) -> Splits:
    """A recording from an NWB file with test trials; its settings are in the TOML file of the same name."""
    recording = open_recording(file.stem, file, bin_ms, settings=read_settings(file.with_suffix(".toml")))
    if recording.test is None or recording.test_targets is None:
        raise SystemExit(f"{file} has no test trials with known held-out spikes: give a recording that has")
    sizes = sizes_of(recording)
    with h5py.File(recording.test_targets) as targets:
        heldout = np.nan_to_num(targets[recording.group]["eval_spikes_heldout"][()], nan=UNKNOWN).astype(np.uint8)
    counts = np.full((recording.test.n_trials, sizes.n_bins, sizes.n_neurons), UNKNOWN, np.uint8)
    counts[:, : sizes.n_window, : sizes.n_heldin] = recording.test.heldin
    counts[:, : sizes.n_window, sizes.n_heldin :] = heldout
    test = Counts(torch.from_numpy(counts), sizes)
    return Splits(f"{file.stem}, {bin_ms} ms bins", counts_of(recording.train), counts_of(recording.val), test)


def hard_recordings(seed: int) -> Iterator[Splits]:
    for hard in HARD_RECORDINGS:
        yield Splits(str(hard), *hard.splits(seed))


def train(splits: Splits, epochs: int, seeds: int) -> tuple[Run, Run]:
    """Train with several seeds side by side; returns the scores of the weights and of their moving average."""
    plan = Plan(epochs=epochs, evaluate_every=math.ceil(epochs / EVALUATIONS), batch_size=BATCH_SIZE)
    device = torch.device("cpu")
    trainings = [Training(CHAIN, SETTINGS, plan, splits.train, seed, device) for seed in range(seeds)]
    side_by_side = SideBySide(trainings)
    weights_KP = side_by_side.rows.weights_KP
    average_KP = weights_KP.clone()
    steps = plan.steps_per_epoch(splits.train.n_trials)
    scores = []
    for epoch in range(1, epochs + 1):
        side_by_side.train_epoch(lambda: False)
        for training in trainings:
            training.epoch = epoch
        # Early on the average must forget the initial weights faster than later.
        decay = min(AVERAGE_DECAY**steps, epoch / (epoch + 9))
        average_KP.lerp_(weights_KP, 1 - decay)
        if plan.is_evaluation(epoch):
            plain = _scores(side_by_side, splits)
            last_KP = weights_KP.clone()
            weights_KP.copy_(average_KP)
            scores.append((plain, _scores(side_by_side, splits)))
            weights_KP.copy_(last_KP)
    # Evaluations x (weights, average) x (val, test) x seeds.
    found = np.array(scores)
    return Run(found[:, 0, 0], found[:, 0, 1]), Run(found[:, 1, 0], found[:, 1, 1])


def _scores(side_by_side: SideBySide, splits: Splits) -> list[list[float]]:
    """co-bps of every network on val and on test."""
    return [
        [co_bps(rates_BTN, counts).item() for rates_BTN in side_by_side.rates(counts.heldin_BWI)]
        for counts in (splits.val, splits.test)
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--real", nargs="*", default=[], metavar="FILE:BIN_MS")
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--lengths", type=int, nargs="+", default=[1, 4, 8], help="multiples of the default epochs")
    parser.add_argument("--only-real", action="store_true", help="leave the synthetic recordings out")
    options = parser.parse_args()
    torch.set_num_threads(1)
    files = [text.rpartition(":") for text in options.real]
    recordings = [real_recording(Path(file), int(bin_ms)) for file, _, bin_ms in files]
    if not options.only_real:
        recordings += hard_recordings(seed=0)
    print(
        "| recording | epochs | weights: val | test | test, last | average: val | test | test, last | best at | CPU s |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|")
    for splits in recordings:
        for length in options.lengths:
            epochs = length * default_epochs(splits.train.n_trials)
            start = time.process_time()
            weights, average = train(splits, epochs, options.seeds)
            seconds = time.process_time() - start
            best_at = f"{weights.best_evaluation:.0%}"
            print(f"| {splits.name} | {epochs} | {weights} | {average} | {best_at} | {seconds:.0f} |", flush=True)


if __name__ == "__main__":
    main()
