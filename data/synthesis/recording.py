"""Making a synthetic recording: sizes, splits, sessions, NWB files and ground truth."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nlb_search.data.dataset_files import RecordingFiles
from nlb_search.data.datasets import Dataset, dataset_named
from nlb_search.data.errors import DataError
from nlb_search.data.synthesis.neurons import draw_population
from nlb_search.data.synthesis.nwb import write_full, write_test
from nlb_search.data.synthesis.session import simulate
from nlb_search.data.synthesis.spiking import BINARY, POISSON
from nlb_search.data.synthesis.tasks.task import Task
from nlb_search.data.synthesis.tasks.task_of_layout import TASKS
from nlb_search.data.synthesis.truth import write_truth

VAL_SHARE = 0.25
"""Fraction of the trials with public targets that are val, as in the benchmark."""


@dataclass(frozen=True)
class SynthesisOptions:
    """Size, random seed and spiking of a synthetic recording.

    ``n_trials`` is the number of train, val and test trials, and ``n_neurons`` that of held-in and held-out neurons; by
    default, they are those of the real recording. The fractions of test trials and of held-out neurons are always those
    of the real recording. If ``binary`` is true, each neuron has at most one spike per bin of 5 ms.
    """

    seed: int = 0
    n_trials: int | None = None
    n_neurons: int | None = None
    binary: bool = False


@dataclass(frozen=True)
class Sizes:
    """Numbers of trials and neurons of a recording."""

    n_train: int
    n_val: int
    n_test: int
    n_heldin: int
    n_heldout: int


def synthesize(dataset_name: str, out: Path, options: SynthesisOptions) -> Path:
    """Write a synthetic recording in the layout of a benchmark dataset, and return its folder, ``out/<dataset>``.

    The folder has the train and test files in ``<dandi_id>/sub-X/``, as on DANDI, and ``<dataset>_truth.h5`` (see
    ``truth.write_truth``). The same options give the same spikes. The folder is created only when it is complete.

    Raises DataError if the folder already exists, if ``out`` cannot be written, if the dataset is unknown, or if there
    are too few trials or neurons.
    """
    dataset = dataset_named(dataset_name)
    folder = out / dataset.name
    if folder.exists():
        raise DataError(f"{folder} already exists: remove it or choose another folder")
    task_class = TASKS[dataset.layout]
    sizes = sizes_of(dataset, task_class.min_trials, options)
    task_seed, split_seed, neuron_seed, train_seed, test_seed, observer_seed = np.random.SeedSequence(
        options.seed
    ).spawn(6)

    task: Task = task_class(dataset, np.random.default_rng(task_seed))
    population = draw_population(
        sizes.n_heldin,
        sizes.n_heldout,
        task.recipe.n_latents,
        task.recipe.gain,
        task.recipe.median_hz,
        np.random.default_rng(neuron_seed),
        BINARY if options.binary else POISSON,
    )
    splits = ["val"] * sizes.n_val + ["train"] * sizes.n_train + ["none"] * task.n_unused(sizes.n_train)
    np.random.default_rng(split_seed).shuffle(splits)
    train = simulate(task, population, splits, np.random.default_rng(train_seed))
    test = simulate(task, population, ["test"] * sizes.n_test, np.random.default_rng(test_seed))

    with _written_to(out), tempfile.TemporaryDirectory(prefix=f".{dataset.name}-", dir=out) as staging:
        whole = Path(staging) / dataset.name
        subject = whole / dataset.dandi_id / dataset.file_stem.split("_")[0]
        subject.mkdir(parents=True)
        train_file = subject / f"{dataset.file_stem}_desc-train_behavior+ecephys.nwb"
        write_full(train_file, train)
        write_test(subject / f"{dataset.file_stem}_desc-test_ecephys.nwb", test)

        full_test_file = Path(staging) / "full_test.nwb"
        write_full(full_test_file, test)
        write_truth(
            whole / f"{dataset.name}_truth.h5",
            options.seed,
            train,
            test,
            RecordingFiles(train_file, full_test_file),
            np.random.default_rng(observer_seed),
        )
        whole.rename(folder)
    return folder


@contextmanager
def _written_to(out: Path) -> Iterator[None]:
    """Create the folder. Raises DataError if creating it or writing to it fails, for example on a full disk."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        raise DataError(f"cannot write to {out} ({error.strerror or error}): choose another folder") from error


def sizes_of(dataset: Dataset, min_trials: int, options: SynthesisOptions) -> Sizes:
    """Compute the numbers of trials and neurons.

    Raises DataError if a split would have fewer than ``min_trials``, if there are fewer than two neurons, or if the
    seed is negative.
    """
    real_trials, real_neurons = dataset.n_train_val + dataset.n_test, dataset.n_heldin + dataset.n_heldout
    n_trials = real_trials if options.n_trials is None else options.n_trials
    n_neurons = real_neurons if options.n_neurons is None else options.n_neurons
    if options.seed < 0:
        raise DataError(f"seed={options.seed} is negative: give 0 or more")
    if n_neurons < 2:
        raise DataError(f"n_neurons={n_neurons} is too few: give at least 2, one held-in and one held-out")
    n_test = round(n_trials * dataset.n_test / real_trials)
    n_val = round((n_trials - n_test) * VAL_SHARE)
    if min(n_test, n_val) < min_trials:
        raise DataError(
            f"n_trials={n_trials} gives {n_val} val and {n_test} test trials, but {dataset.name} needs {min_trials} of "
            f"each for scoring: give at least {_enough_trials(dataset, min_trials)}"
        )
    n_heldout = min(max(1, round(n_neurons * dataset.n_heldout / real_neurons)), n_neurons - 1)
    return Sizes(n_trials - n_test - n_val, n_val, n_test, n_neurons - n_heldout, n_heldout)


def _enough_trials(dataset: Dataset, min_trials: int) -> int:
    """A number of trials that gives at least ``min_trials`` in val and in test, with a margin of one for rounding."""
    test_share = dataset.n_test / (dataset.n_train_val + dataset.n_test)
    return int(np.ceil((min_trials + 1) / min(test_share, (1 - test_share) * VAL_SHARE)))
