"""nlb_tools reads the synthesized files."""

import functools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from nlb_tools.make_tensors import make_eval_input_tensors, make_eval_target_tensors, make_train_input_tensors
from nlb_tools.nwb_interface import NWBDataset

from nlb_search.data.datasets import DATASETS, Dataset

NAMES = ["mc_rtt", "mc_maze_small", "area2_bump", "dmfc_rsg"]


def files(folder: Path) -> Path:
    dataset = DATASETS[folder.name]
    return folder / dataset.dandi_id / dataset.file_stem.split("_")[0]


@functools.cache
def loaded(folder: Path, kind: str, bin_ms: int) -> NWBDataset:
    dataset = DATASETS[folder.name]
    recording = NWBDataset(str(files(folder)), prefix=f"{dataset.file_stem}_desc-{kind}")
    recording.resample(bin_ms)
    return recording


def n_window(dataset: Dataset, bin_ms: int) -> int:
    return dataset.window_length_ms // bin_ms


@pytest.mark.parametrize("name", NAMES)
def test_train_file_has_complete_windows(recording: Callable[[str], Path], name: str) -> None:
    dataset, train = DATASETS[name], loaded(recording(name), "train", 5)
    n_train, n_val = (int((train.trial_info.split == split).sum()) for split in ("train", "val"))

    fitted = make_train_input_tensors(train, name, "train", save_file=False, include_forward_pred=True)
    held = make_eval_input_tensors(train, name, "val", save_file=False)

    assert fitted["train_spikes_heldin"].shape == (n_train, n_window(dataset, 5), 9)
    assert fitted["train_spikes_heldout"].shape == (n_train, n_window(dataset, 5), 3)
    assert fitted["train_spikes_heldin_forward"].shape == (n_train, 40, 9)
    assert held["eval_spikes_heldin"].shape == (n_val, n_window(dataset, 5), 9)
    assert held["eval_spikes_heldout"].shape == (n_val, n_window(dataset, 5), 3)
    for spikes in (*fitted.values(), *held.values()):
        assert np.isfinite(spikes).all()
        assert spikes.sum() > 0


@pytest.mark.parametrize("name", NAMES)
def test_val_targets_can_be_made(recording: Callable[[str], Path], name: str) -> None:
    dataset, train = DATASETS[name], loaded(recording(name), "train", 5)

    targets = make_eval_target_tensors(train, name, "train", "val", save_file=False)[name]

    n_val = int((train.trial_info.split == "val").sum())
    assert targets["eval_spikes_heldout"].shape == (n_val, n_window(dataset, 5), 3)
    assert targets["eval_spikes_heldin_forward"].shape == (n_val, 40, 9)
    assert len(targets["eval_behavior"]) == n_val
    assert np.isfinite(targets["eval_behavior"]).mean() > 0.9


@pytest.mark.parametrize("name", NAMES)
def test_test_file_has_complete_windows_of_held_in_neurons_only(recording: Callable[[str], Path], name: str) -> None:
    dataset, test = DATASETS[name], loaded(recording(name), "test", 5)

    seen = make_eval_input_tensors(test, name, "test", save_file=False)

    assert list(seen) == ["eval_spikes_heldin"]
    assert seen["eval_spikes_heldin"].shape == (len(test.trial_info), n_window(dataset, 5), 9)
    assert np.isfinite(seen["eval_spikes_heldin"]).all()
    assert set(test.trial_info.split) == {"test"}
    assert set(test.data.columns.get_level_values(0)) == {"spikes"}
    recorded = test.data["spikes"].notna().all(axis=1).sum()
    assert recorded == len(test.trial_info) * n_window(dataset, 5)


@pytest.mark.parametrize("name", NAMES)
def test_both_files_load_as_one_recording(recording: Callable[[str], Path], name: str) -> None:
    folder = recording(name)
    together = loaded(folder, "", 5)

    seen = make_eval_input_tensors(together, name, "test", save_file=False)
    fitted = make_train_input_tensors(together, name, ["train", "val"], save_file=False)

    alone = make_eval_input_tensors(loaded(folder, "test", 5), name, "test", save_file=False)
    np.testing.assert_array_equal(seen["eval_spikes_heldin"], alone["eval_spikes_heldin"])
    assert len(fitted["train_spikes_heldin"]) == together.trial_info.split.isin(["train", "val"]).sum()


@pytest.mark.parametrize("name", NAMES)
def test_20_ms_bins_are_sums_of_5_ms_bins(recording: Callable[[str], Path], name: str) -> None:
    folder = recording(name)

    fine, coarse = (
        make_eval_input_tensors(loaded(folder, "test", bin_ms), name, "test", save_file=False)["eval_spikes_heldin"]
        for bin_ms in (5, 20)
    )

    n_trials, n_bins, n_neurons = fine.shape
    np.testing.assert_array_equal(coarse, fine.reshape(n_trials, n_bins // 4, 4, n_neurons).sum(axis=2))


@pytest.mark.parametrize(
    ("name", "behavior"),
    [
        ("mc_rtt", {"finger_pos", "finger_vel", "cursor_pos", "target_pos"}),
        ("mc_maze_small", {"hand_pos", "hand_vel", "cursor_pos", "eye_pos"}),
        ("area2_bump", {"hand_pos", "hand_vel"}),
        ("dmfc_rsg", set()),
    ],
)
def test_train_file_has_behavior(recording: Callable[[str], Path], name: str, behavior: set[str]) -> None:
    train = loaded(recording(name), "train", 5)

    assert set(train.data.columns.get_level_values(0)) == behavior | {"spikes", "heldout_spikes"}
    for series in behavior:
        assert list(train.data[series].columns) == ["x", "y"]
        assert train.data[series].notna().all(axis=None)


@pytest.mark.parametrize("name", ["area2_bump", "dmfc_rsg"])
def test_some_trials_have_no_split(recording: Callable[[str], Path], name: str) -> None:
    trials = loaded(recording(name), "train", 5).trial_info

    unused = trials[trials.split == "none"]
    assert len(unused) > 0
    assert unused[DATASETS[name].align_field].isna().all()


def test_random_target_trials_are_contiguous(recording: Callable[[str], Path]) -> None:
    trials = loaded(recording("mc_rtt"), "train", 5).trial_info

    assert (trials.start_time.diff().dropna().dt.total_seconds().round(6) == 0.6).all()


def test_timing_trial_events_are_ordered(recording: Callable[[str], Path]) -> None:
    trials = loaded(recording("dmfc_rsg"), "train", 5).trial_info.query("split != 'none'")

    def since(later: str, earlier: str) -> np.ndarray:
        return ((trials[later] - trials[earlier]).dt.total_seconds() * 1000).round(3).to_numpy()

    np.testing.assert_array_equal(since("set_time", "ready_time"), trials.ts)
    np.testing.assert_array_equal(since("go_time", "set_time"), trials.tp)
    assert np.corrcoef(trials.ts, trials.tp)[0, 1] > 0.7
