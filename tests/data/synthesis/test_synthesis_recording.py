"""Synthesizing a recording: sizes, reproducibility, invalid options and failed writes."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from nlb_search.data.datasets import DATASETS
from nlb_search.data.errors import DataError
from nlb_search.data.synthesis import SynthesisOptions, synthesize
from nlb_search.data.synthesis.recording import sizes_of
from nlb_search.data.synthesis.tasks.task_of_layout import TASKS

TINY = SynthesisOptions(seed=3, n_trials=24, n_neurons=6)

MAKE_A_LARGE_ONE = """
import resource, sys
from pathlib import Path
from nlb_search.data.synthesis import SynthesisOptions, synthesize
limit = int(sys.argv[2])
if limit:
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
synthesize("mc_rtt", Path(sys.argv[1]), SynthesisOptions(n_trials=400, n_neurons=80))
"""


def spike_times(folder: Path) -> dict[str, np.ndarray]:
    found = {}
    for path in sorted(folder.rglob("*.nwb")):
        with h5py.File(path) as file:
            found[path.name] = file["units/spike_times"][()]
    return found


def test_same_seed_gives_same_spikes(tmp_path: Path) -> None:
    first, again, other = (
        spike_times(synthesize("mc_rtt", tmp_path / name, SynthesisOptions(seed, 24, 6)))
        for name, seed in (("first", 3), ("again", 3), ("other", 4))
    )

    assert list(first) == list(again) == ["sub-Indy_desc-test_ecephys.nwb", "sub-Indy_desc-train_behavior+ecephys.nwb"]
    for name, times in first.items():
        np.testing.assert_array_equal(times, again[name])
        assert not np.array_equal(times, other[name])


def test_folder_layout_is_that_of_dandi(recording: Callable[[str], Path]) -> None:
    folder = recording("mc_maze_small")

    found = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}

    assert found == {
        "000140/sub-Jenkins/sub-Jenkins_ses-small_desc-train_behavior+ecephys.nwb",
        "000140/sub-Jenkins/sub-Jenkins_ses-small_desc-test_ecephys.nwb",
        "mc_maze_small_truth.h5",
    }
    assert not list(folder.parent.glob(".*"))


@pytest.mark.parametrize("name", DATASETS)
def test_default_sizes_are_those_of_the_dataset(name: str) -> None:
    dataset = DATASETS[name]

    sizes = sizes_of(dataset, TASKS[dataset.layout].min_trials, SynthesisOptions())

    assert (sizes.n_heldin, sizes.n_heldout) == (dataset.n_heldin, dataset.n_heldout)
    assert (sizes.n_train + sizes.n_val, sizes.n_test) == (dataset.n_train_val, dataset.n_test)


def test_smaller_sizes_keep_split_proportions() -> None:
    sizes = sizes_of(DATASETS["mc_rtt"], 4, SynthesisOptions(n_trials=500, n_neurons=80))

    assert (sizes.n_heldin, sizes.n_heldout) == (60, 20)
    assert (sizes.n_train, sizes.n_val, sizes.n_test) == (300, 100, 100)


def test_two_neurons_give_one_held_in_and_one_held_out() -> None:
    sizes = sizes_of(DATASETS["mc_rtt"], 4, SynthesisOptions(n_neurons=2))

    assert (sizes.n_heldin, sizes.n_heldout) == (1, 1)


@pytest.mark.parametrize("name", DATASETS)
def test_too_few_trials_error_gives_a_sufficient_number(name: str, tmp_path: Path) -> None:
    dataset = DATASETS[name]
    min_trials = TASKS[dataset.layout].min_trials

    with pytest.raises(
        DataError, match=r"n_trials=7 gives \d val and \d test trials.* give at least \d+$"
    ) as rejection:
        synthesize(name, tmp_path, SynthesisOptions(n_trials=7))

    enough = int(str(rejection.value).split()[-1])
    sizes = sizes_of(dataset, min_trials, SynthesisOptions(n_trials=enough))
    assert min(sizes.n_train, sizes.n_val, sizes.n_test) >= min_trials
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("mc_rtt", SynthesisOptions(n_neurons=1), "n_neurons=1 is too few: give at least 2"),
        ("mc_rtt", SynthesisOptions(n_trials=-3), "n_trials=-3"),
        ("mc_rtt", SynthesisOptions(seed=-1), "seed=-1 is negative"),
        ("mc_rt", SynthesisOptions(), "unknown dataset 'mc_rt'"),
    ],
)
def test_invalid_options_are_rejected_before_writing(
    tmp_path: Path, name: str, options: SynthesisOptions, message: str
) -> None:
    with pytest.raises(DataError, match=message):
        synthesize(name, tmp_path / "out", options)

    assert not (tmp_path / "out").exists()


def test_existing_recording_is_kept(tmp_path: Path) -> None:
    (tmp_path / "mc_rtt").mkdir()
    (tmp_path / "mc_rtt" / "mine.txt").write_text("kept")

    with pytest.raises(DataError, match="already exists: remove it or choose another folder"):
        synthesize("mc_rtt", tmp_path, TINY)

    assert (tmp_path / "mc_rtt" / "mine.txt").read_text() == "kept"


def test_file_at_the_path_of_the_folder_is_kept(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("kept")

    with pytest.raises(DataError, match=r"cannot write to .*out"):
        synthesize("mc_rtt", tmp_path / "out", TINY)

    assert (tmp_path / "out").read_text() == "kept"


def test_failed_write_leaves_no_files(tmp_path: Path) -> None:
    """The process may write no file larger than 500 kB, which is like a full disk."""
    done = subprocess.run(
        [sys.executable, "-c", MAKE_A_LARGE_ONE, str(tmp_path), "500000"], capture_output=True, text=True, check=False
    )

    assert done.returncode != 0
    assert not list(tmp_path.iterdir())


def test_killed_process_leaves_no_recording(tmp_path: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", MAKE_A_LARGE_ONE, str(tmp_path), "0"])
    deadline = time.monotonic() + 60
    while not list(tmp_path.rglob("*.nwb")) and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()

    assert process.returncode == -signal.SIGKILL
    assert not (tmp_path / "mc_rtt").exists()
    assert spike_times(synthesize("mc_rtt", tmp_path, TINY))
