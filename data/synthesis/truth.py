"""Ground truth of a synthetic recording: the test targets, the true rates and the ceiling."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from nlb_search.data.ceiling import GROUP, Ceiling
from nlb_search.data.dataset_files import RecordingFiles, read_contents, train_columns
from nlb_search.data.datasets import BIN_WIDTHS_MS, FORWARD_MS, Dataset, group_name
from nlb_search.data.nlb.splits import splits_in, without_unscored
from nlb_search.data.nlb.targets import make_targets
from nlb_search.data.nlb.windows import whole_windows
from nlb_search.data.nwb.session import read_session
from nlb_search.data.synthesis.bits_per_spike import bits_per_spike
from nlb_search.data.synthesis.ceiling_observer import Templates, predict_rates
from nlb_search.data.synthesis.joining import joined
from nlb_search.data.synthesis.latents import BIN_MS
from nlb_search.data.synthesis.session import Session
from nlb_search.data.targets_file import write_targets


def write_truth(
    path: Path, seed: int, train: Session, test: Session, files: RecordingFiles, rng: np.random.Generator
) -> None:
    """Write the ground truth of a recording to an HDF5 file.

    ``files`` are the NWB files of both sessions; that of the test session must be complete. The groups ``<dataset>``
    and ``<dataset>_20`` have the benchmark's test targets. The group ``truth`` has the true rates ``rates_train``,
    ``rates_val`` and ``rates_test`` in spikes per bin of 5 ms, trials x bins (window, then forward) x neurons (held-in
    first). The ceiling is in the attributes of this group.
    """
    dataset = train.task.dataset
    write_targets(path, benchmark_targets(files, dataset))
    val_scores, test_scores = observer_scores(train, "val", rng), observer_scores(test, "test", rng)
    ceiling = Ceiling(val_scores.co_bps, test_scores.co_bps, val_scores.fp_bps, test_scores.fp_bps)
    with h5py.File(path, "a") as file:
        group = file.create_group(GROUP)
        for session, split in ((train, "train"), (train, "val"), (test, "test")):
            rates = session.rates(split).astype(np.float32)
            group.create_dataset(f"rates_{split}", data=rates, compression="gzip", shuffle=True)
        group.attrs.update(
            {
                "dataset": dataset.name,
                "seed": seed,
                **asdict(ceiling),
                "oracle_co_bps_val": val_scores.oracle_co_bps,
                "oracle_co_bps_test": test_scores.oracle_co_bps,
            }
        )


def benchmark_targets(files: RecordingFiles, dataset: Dataset) -> dict[str, Any]:
    """The benchmark's targets for the test phase (train on train and val, predict test), in both bin widths.

    They are made from the trials of both NWB files, as on the benchmark's server.
    """
    assert files.test is not None
    train, test = (
        read_session(read_contents(path), train_columns(dataset), dataset.behavior)
        for path in (files.train, files.test)
    )
    session = joined(train, test)
    names = session.trials["split"]
    trained, scored = np.isin(names, ["train", "val"]), names == "test"
    targets = {}
    for bin_ms in BIN_WIDTHS_MS:
        bins = whole_windows(dataset, session, scored, bin_ms)
        (split,) = splits_in(dataset, session, {"test": bins}, bin_ms).values()
        split = without_unscored(dataset, session, scored, bins, split, bin_ms)
        targets[group_name(dataset.name, bin_ms)] = make_targets(dataset, session, trained, scored, split, bin_ms)
    return targets


@dataclass(frozen=True)
class ObserverScores:
    """Scores of the observer in bits per spike, and co-bps of the true rates."""

    co_bps: float
    fp_bps: float
    oracle_co_bps: float


def observer_scores(session: Session, split: str, rng: np.random.Generator) -> ObserverScores:
    """Score the observer on a split as the benchmark does, without the bins that are not scored."""
    task, population = session.task, session.population
    trials, spikes, rates = session.trials(split), session.spikes(split), session.rates(split)
    n_window = task.dataset.window_length_ms // BIN_MS
    predicted = predict_rates(
        spikes[:, :n_window, : population.n_heldin],
        population,
        task.recipe.process.basis(n_window + FORWARD_MS // BIN_MS),
        templates_of(session, split, rng),
    )
    heldout = (slice(None), slice(0, n_window), slice(population.n_heldin, None))
    forward = (slice(None), slice(n_window, None))
    targets = spikes[heldout]
    targets[~task.scored(trials, task.window_times(trials)[:, :n_window])] = np.nan
    return ObserverScores(
        co_bps=bits_per_spike(predicted[heldout], targets),
        fp_bps=bits_per_spike(predicted[forward], spikes[forward]),
        oracle_co_bps=bits_per_spike(rates[heldout], targets),
    )


def templates_of(session: Session, split: str, rng: np.random.Generator) -> Templates:
    """The templates in the observer's prior for a split."""
    candidates = session.task.candidates(split, rng)
    return Templates(session.task.mean(candidates, session.task.window_times(candidates)))
