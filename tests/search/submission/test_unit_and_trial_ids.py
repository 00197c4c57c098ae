"""Submissions of the benchmark's datasets name their units and trials: `evaluate` compares them with the recording."""

import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest
from nlb_tools.evaluation import evaluate

from nlb_search.data.opening import open_recording
from tests.helpers.processes.command import Outcome, call, search

NAMES = ("heldin_units", "heldout_units", "train_trials", "eval_trials")
STUDIES = {"rtt": ("mc_rtt", 5), "rtt-20": ("mc_rtt", 20), "maze-20": ("mc_maze_small", 20), "timing": ("dmfc_rsg", 5)}


@pytest.fixture(scope="module")
def submission(recordings: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A submission of three datasets, one of them in both bin widths."""
    folder = tmp_path_factory.mktemp("named")
    for study, (dataset, bin_ms) in STUDIES.items():
        small = ("--arch", "FF -> exp", "--trials", "1", "--epochs", "2", "--bin-size", str(bin_ms))
        search(study, "--dataset", dataset, *small, data=recordings, cwd=folder)
    exported = call("export-best", *STUDIES, "--out", "all.h5", "--data", recordings, cwd=folder)
    assert exported.code == 0, exported.err
    return folder / "all.h5"


def evaluated(file: Path, dataset: str, recordings: Path, *options: str) -> Outcome:
    return call("evaluate", file, "--dataset", dataset, "--json", *options, "--data", recordings, cwd=file.parent)


@pytest.fixture
def copied(submission: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(submission, tmp_path))


def test_nlb_tools_gives_the_same_scores_with_and_without_names(
    submission: Path, copied: Path, recordings: Path, tmp_path: Path
) -> None:
    with h5py.File(tmp_path / "targets.h5", "w") as targets:
        for dataset, bin_ms in STUDIES.values():
            with h5py.File(open_recording(dataset, recordings, bin_ms).val_targets) as known:
                for name in known:
                    known.copy(name, targets)
    with h5py.File(copied, "a") as file:
        for group in file.values():
            for name in NAMES:
                del group[name]
    named, plain = (evaluate(str(tmp_path / "targets.h5"), str(file)) for file in (submission, copied))
    assert named == plain
    by_split = {name: scores for one in named for name, scores in one.items()}
    assert list(by_split) == ["mc_rtt_split", "mc_rtt_20_split", "dmfc_rsg_split", "mc_maze_scaling_20_split"]
    for dataset in ("mc_rtt", "dmfc_rsg"):
        for name, scores in evaluated(submission, dataset, recordings).json.items():
            assert scores == pytest.approx(by_split[f"{name}_split"], abs=1e-6)


def test_a_submission_without_names_is_scored(submission: Path, copied: Path, recordings: Path) -> None:
    """Other programs write the arrays of the benchmark only."""
    expected = evaluated(submission, "mc_rtt", recordings).json
    with h5py.File(copied, "a") as file:
        for group in ("mc_rtt", "mc_rtt_20"):
            for name in NAMES:
                del file[group][name]
    assert evaluated(copied, "mc_rtt", recordings).json == expected


@pytest.mark.parametrize(
    ("name", "arrays", "axis"),
    [
        ("heldin_units", ("eval_rates_heldin", "train_rates_heldin"), 2),
        ("heldout_units", ("eval_rates_heldout", "train_rates_heldout"), 2),
        ("train_trials", ("train_rates_heldin", "train_rates_heldout"), 0),
        ("eval_trials", ("eval_rates_heldin", "eval_rates_heldout"), 0),
    ],
)
def test_another_order_is_rejected(
    name: str, arrays: tuple[str, ...], axis: int, copied: Path, recordings: Path
) -> None:
    """The last two neurons or trials have changed places."""
    with h5py.File(copied, "a") as file:
        group = file["mc_rtt_20"]
        known = group[name][()]
        *_, before, last = known
        order = np.r_[: len(known) - 2, -1, -2]
        group[name][...] = known[order]
        for array in arrays:
            group[array][...] = np.take(group[array][()], order, axis)
    rejected = evaluated(copied, "mc_rtt", recordings)
    assert rejected.code == 1
    assert f"'{name}' in {copied} differs from that of the recording" in rejected.err
    assert f"which has {before} at position {len(known) - 2}, not {last}" in rejected.err
    assert rejected.out == ""


def test_ids_are_compared_before_test_targets_are_needed(recordings: Path, submission: Path, tmp_path: Path) -> None:
    options = ("--phase", "test", "--seeds", "1", "--workers", "1", "--data", recordings)
    exported = call("export-best", "rtt", "--out", tmp_path / "test.h5", *options, cwd=submission.parent)
    assert exported.code == 0, exported.err
    with h5py.File(tmp_path / "test.h5") as file, h5py.File(recordings / "mc_rtt" / "my-train-set.nwb") as train:
        splits = train["intervals/trials/split"].asstr()[()]
        assert file["mc_rtt/train_trials"][()].tolist() == np.flatnonzero(splits != "none").tolist()
        assert file["mc_rtt/eval_trials"][()].tolist() == list(range(10))
    missing = evaluated(tmp_path / "test.h5", "mc_rtt", recordings)
    assert "the recording has no test targets" in missing.err
    with h5py.File(tmp_path / "test.h5", "a") as file:
        file["mc_rtt/eval_trials"][...] = np.arange(10)[::-1]
    rejected = evaluated(tmp_path / "test.h5", "mc_rtt", recordings)
    assert "'eval_trials' in" in rejected.err
    assert "which has 0 at position 0, not 9" in rejected.err


def test_without_the_recording_nothing_can_be_compared(submission: Path, tmp_path: Path) -> None:
    rejected = evaluated(submission, "mc_rtt", tmp_path, "--targets", str(submission))
    assert rejected.code == 1
    assert f"no NWB files of mc_rtt in {tmp_path / 'mc_rtt'}" in rejected.err
