"""True rates of a synthetic recording, scored by nlb_tools."""

import functools
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
from nlb_tools.evaluation import evaluate
from nlb_tools.make_tensors import h5_to_dict, make_eval_target_tensors, make_train_input_tensors
from nlb_tools.nwb_interface import NWBDataset

from nlb_search.data.ceiling import read_ceiling
from nlb_search.data.datasets import DATASETS
from nlb_search.data.errors import DataError

NAMES = ["mc_rtt", "mc_maze_small", "area2_bump", "dmfc_rsg"]
N_HELDIN = 9


def truth_of(folder: Path) -> dict:
    with h5py.File(folder / f"{folder.name}_truth.h5") as file:
        return {**h5_to_dict(file), "attributes": dict(file["truth"].attrs)}


@functools.cache
def train_recording(folder: Path) -> NWBDataset:
    dataset = DATASETS[folder.name]
    path = folder / dataset.dandi_id / dataset.file_stem.split("_")[0]
    recording = NWBDataset(str(path), prefix=f"{dataset.file_stem}_desc-train")
    recording.resample(5)
    return recording


def submission(name: str, train: np.ndarray, evaluated: np.ndarray) -> dict:
    """Rates of window and forward bins in the format of a submission."""
    n_window = DATASETS[name].window_length_ms // 5
    return {
        name: {
            "train_rates_heldin": train[:, :n_window, :N_HELDIN],
            "train_rates_heldout": train[:, :n_window, N_HELDIN:],
            "eval_rates_heldin": evaluated[:, :n_window, :N_HELDIN],
            "eval_rates_heldout": evaluated[:, :n_window, N_HELDIN:],
            "eval_rates_heldin_forward": evaluated[:, n_window:, :N_HELDIN],
            "eval_rates_heldout_forward": evaluated[:, n_window:, N_HELDIN:],
        }
    }


def scores(targets: dict, rates: dict) -> dict[str, float]:
    """The metrics of the only dataset, with NLB's names (the scaled mazes' have their trial count before)."""
    ((_, metrics),) = evaluate(targets, rates)[0].items()
    return {name.split("] ")[-1]: float(value) for name, value in metrics.items()}


def train_spikes(folder: Path) -> np.ndarray:
    """Counts of the train trials made by nlb_tools, with the shape of the true rates."""
    tensors = make_train_input_tensors(
        train_recording(folder), folder.name, "train", save_file=False, include_forward_pred=True
    )
    window, forward = (
        np.concatenate([tensors[f"train_spikes_heldin{bins}"], tensors[f"train_spikes_heldout{bins}"]], axis=2)
        for bins in ("", "_forward")
    )
    return np.concatenate([window, forward], axis=1).astype(float)


def in_table_order(truth: dict, recording: NWBDataset) -> np.ndarray:
    """True rates of train and val trials, in the order of the trial table."""
    split = recording.trial_info.split
    split = split[split.isin(["train", "val"])].to_numpy()
    rates = np.empty((len(split), *truth["truth"]["rates_train"].shape[1:]))
    for name in ("train", "val"):
        rates[split == name] = truth["truth"][f"rates_{name}"]
    return rates


@pytest.mark.parametrize("name", NAMES)
def test_true_rates_reach_the_stored_test_score(recording: Callable[[str], Path], name: str) -> None:
    folder = recording(name)
    truth = truth_of(folder)

    rates = submission(name, in_table_order(truth, train_recording(folder)), truth["truth"]["rates_test"])
    metrics = scores(truth, rates)

    assert metrics["co-bps"] == pytest.approx(truth["attributes"]["oracle_co_bps_test"], abs=1e-6)
    assert metrics["fp-bps"] > truth["attributes"]["fp_bps_test"]
    if name == "dmfc_rsg":
        assert -1 < metrics["tp corr"] < 1
    else:
        assert metrics["vel R2"] > 0.3


@pytest.mark.parametrize("name", NAMES)
def test_true_rates_reach_the_stored_val_score(recording: Callable[[str], Path], name: str) -> None:
    """This holds only if windows, jitter and the order of trials and neurons are those of nlb_tools."""
    folder = recording(name)
    truth = truth_of(folder)
    targets = make_eval_target_tensors(train_recording(folder), name, "train", "val", save_file=False)

    metrics = scores(targets, submission(name, truth["truth"]["rates_train"], truth["truth"]["rates_val"]))

    assert metrics["co-bps"] == pytest.approx(truth["attributes"]["oracle_co_bps_val"], abs=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_spikes_follow_the_true_rates(recording: Callable[[str], Path], name: str) -> None:
    folder = recording(name)
    spikes = train_spikes(folder)
    rates = truth_of(folder)["truth"]["rates_train"].astype(float)

    assert rates.shape == spikes.shape
    z = (spikes - rates).sum(axis=(0, 1)) / np.sqrt(rates.sum(axis=(0, 1)))
    assert np.abs(z).max() < 4.5
    # The correlation of Poisson spikes with their rates is limited by the variance of the rates.
    expected = np.std(rates) / np.sqrt(np.var(rates) + np.mean(rates))
    assert np.corrcoef(rates.ravel(), spikes.ravel())[0, 1] == pytest.approx(expected, rel=0.1)


def test_binary_recording_is_bernoulli(
    binary_recording: Path,
) -> None:
    spikes, rates = train_spikes(binary_recording), truth_of(binary_recording)["truth"]["rates_train"].astype(float)

    assert set(np.unique(spikes)) == {0, 1}
    assert rates.max() < 1
    z = (spikes - rates).sum(axis=(0, 1)) / np.sqrt((rates * (1 - rates)).sum(axis=(0, 1)))
    assert np.abs(z).max() < 4.5


def test_true_rates_of_binary_recording_reach_the_stored_score(binary_recording: Path) -> None:
    truth = truth_of(binary_recording)

    rates = submission("mc_rtt", in_table_order(truth, train_recording(binary_recording)), truth["truth"]["rates_test"])
    metrics = scores(truth, rates)

    assert metrics["co-bps"] == pytest.approx(truth["attributes"]["oracle_co_bps_test"], abs=1e-6)
    assert metrics["co-bps"] > truth["attributes"]["co_bps_test"] > 0
    assert metrics["fp-bps"] > truth["attributes"]["fp_bps_test"]


@pytest.mark.parametrize("name", NAMES)
def test_targets_have_the_benchmark_format(recording: Callable[[str], Path], name: str) -> None:
    truth = truth_of(recording(name))
    n_test = len(truth["truth"]["rates_test"])

    for group, bin_ms in ((name, 5), (f"{name}_20", 20)):
        targets = truth[group]
        n_window = DATASETS[name].window_length_ms // bin_ms
        assert targets["eval_spikes_heldout"].shape == (n_test, n_window, 3)
        assert targets["eval_spikes_heldin_forward"].shape == (n_test, 200 // bin_ms, 9)
        assert len(targets["eval_behavior"]) == n_test
        assert ("psth" in targets) == (name != "mc_rtt")
        assert ("eval_decode_mask" in targets) == (name == "area2_bump")


@pytest.mark.parametrize("name", NAMES)
def test_ceiling_is_below_the_score_of_true_rates(recording: Callable[[str], Path], name: str) -> None:
    folder = recording(name)
    ceiling, attributes = read_ceiling(folder / f"{name}_truth.h5"), truth_of(folder)["attributes"]

    assert 0 < ceiling.co_bps_test < attributes["oracle_co_bps_test"] < 1
    assert 0 < ceiling.co_bps_val < attributes["oracle_co_bps_val"] < 1
    assert ceiling.fp_bps_val == attributes["fp_bps_val"]
    assert ceiling.fp_bps_test == attributes["fp_bps_test"]


def test_file_without_ceiling_is_rejected(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["x"] = 1

    for path in (tmp_path / "other.h5", tmp_path / "absent.h5"):
        with pytest.raises(DataError, match=f"cannot read the ceiling from {path}"):
            read_ceiling(path)
