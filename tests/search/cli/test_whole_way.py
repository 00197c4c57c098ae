"""From third-party recordings to scored submissions, through the command line."""

import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest

from nlb_search.data.opening import open_recording
from tests.helpers.processes.command import call, search

ARRAYS = {
    f"{part}_rates_{kind}{ending}"
    for part in ("train", "eval")
    for kind in ("heldin", "heldout")
    for ending in ("", "_forward")
}
NAMES = {"heldin_units", "heldout_units", "train_trials", "eval_trials"}
METRICS = {
    "mc_rtt": {"co-bps", "vel R2", "fp-bps"},
    "mc_maze_small": {"co-bps", "vel R2", "psth R2", "fp-bps"},
    "area2_bump": {"co-bps", "vel R2", "psth R2", "fp-bps"},
    "dmfc_rsg": {"co-bps", "tp corr", "psth R2", "fp-bps"},
}
EXPORT_TEST = ("export-best", "study", "--phase", "test", "--seeds", "1", "--out", "test.h5")
ATTRIBUTES = {"vel R2": "vel_r2", "psth R2": "psth_r2", "tp corr": "tp_corr", "fp-bps": "fp_bps"}


@pytest.mark.parametrize("dataset", METRICS)
def test_launch_export_and_evaluate_each_layout(dataset: str, recordings: Path, tmp_path: Path) -> None:
    data = ("--data", recordings)
    options = ("--dataset", dataset, "--arch", "rnnf", "--trials", "2", "--epochs", "3")
    search("study", *options, data=recordings, cwd=tmp_path)
    status = call("status", "study", "--json", cwd=tmp_path).json
    assert status["study"] == "study"
    assert status["dataset"] == dataset
    assert status["budget"] == 2
    assert status["states"]["complete"] + status["states"]["pruned"] == 2
    assert status["workers"] == []

    exported = call("export-best", "study", "--out", "val.h5", *data, cwd=tmp_path)
    assert exported.code == 0, exported.err
    scores = call("evaluate", "val.h5", "--dataset", dataset, "--json", *data, cwd=tmp_path).json
    assert set(scores[dataset]) == METRICS[dataset]
    assert scores[dataset]["co-bps"] == pytest.approx(status["best"]["value"], abs=1e-4)
    attrs = status["best"]["attrs"]
    kept = {metric: attrs[name] for metric, name in ATTRIBUTES.items() if name in attrs}
    assert kept == pytest.approx({metric: scores[dataset][metric] for metric in kept}, abs=1e-4)
    assert {"co-bps", *kept} == METRICS[dataset]
    assert attrs["co_bps_low"] < status["best"]["value"] < attrs["co_bps_high"]

    said = " ".join(call("status", "study", cwd=tmp_path).out.split())
    assert f"(95% bootstrap interval over val trials: {attrs['co_bps_low']:.4f} to {attrs['co_bps_high']:.4f})" in said
    for metric, value in kept.items():
        assert f"{metric} {value:.4f}" in said
    assert set(status["ties"]) < {0, 1}
    if status["states"]["complete"] == 2:
        assert ("not significantly different from trial" if status["ties"] else "none: better than every") in said
    elsewhere = call("status", "study", "--json", "--artifacts", "elsewhere", cwd=tmp_path).json
    assert elsewhere == status | {"ties": None}

    exported = call(*EXPORT_TEST, *data, cwd=tmp_path)
    assert exported.code == 0, exported.err
    recording = open_recording(dataset, recordings)
    assert recording.test is not None
    with h5py.File(tmp_path / "test.h5") as file:
        assert set(file[dataset]) == ARRAYS | NAMES
        assert file[dataset]["eval_rates_heldin"].shape == recording.test.heldin.shape
        assert file[dataset]["train_rates_heldin"].shape == recording.train_val.heldin.shape
        forward = (recording.test.n_trials, recording.n_forward_bins, recording.n_heldout)
        assert file[dataset]["eval_rates_heldout_forward"].shape == forward
        trained = {f"GRU({layers}) -> FF -> exp" for layers in (1, 2, 3)}
        assert set(file[dataset].attrs["architecture"].split("; ")) <= trained
    rejected = call("evaluate", "test.h5", "--dataset", dataset, *data, cwd=tmp_path)
    assert rejected.code == 1
    assert "--targets" in rejected.err


def test_test_submission_is_scored_with_benchmark_targets(recordings: Path, tmp_path: Path) -> None:
    """Targets of the test trials are drawn from known rates, so the expected score can be computed directly."""
    data = ("--data", recordings)
    options = ("--dataset", "mc_rtt", "--arch", "FF -> exp", "--trials", "1", "--epochs", "2")
    search("study", *options, data=recordings, cwd=tmp_path)
    assert call(*EXPORT_TEST, *data, cwd=tmp_path).code == 0
    recording = open_recording("mc_rtt", recordings)
    rng = np.random.default_rng(0)
    with h5py.File(tmp_path / "test.h5") as file:
        rates = {name: file["mc_rtt"][name][()].astype(float) for name in ARRAYS}
    spikes = rng.poisson(0.1, rates["eval_rates_heldout"].shape).astype(float)
    with h5py.File(tmp_path / "eval_data_test.h5", "w") as file:
        group = file.create_group("mc_rtt")
        group["eval_spikes_heldout"] = spikes
        group["train_behavior"] = rng.normal(size=(recording.train_val.n_trials, 120, 2))
        group["eval_behavior"] = rng.normal(size=(spikes.shape[0], 120, 2))
        for kind in ("heldin", "heldout"):
            group[f"eval_spikes_{kind}_forward"] = rng.poisson(0.1, rates[f"eval_rates_{kind}_forward"].shape)
    targets = ("--targets", "eval_data_test.h5")
    scores = call("evaluate", "test.h5", "--dataset", "mc_rtt", *targets, "--json", *data, cwd=tmp_path).json
    null = np.broadcast_to(spikes.mean(axis=(0, 1)), spikes.shape)
    gain = np.sum(spikes * np.log(rates["eval_rates_heldout"] / null) - rates["eval_rates_heldout"] + null)
    assert scores["mc_rtt"]["co-bps"] == pytest.approx(gain / spikes.sum() / np.log(2), abs=1e-5)

    # Targets in --data are found automatically, and the truth of a synthetic recording takes precedence.
    shutil.copytree(recordings / "mc_rtt", tmp_path / "data/mc_rtt")
    evaluate = ("evaluate", "test.h5", "--dataset", "mc_rtt", "--json", "--data", "data")
    (tmp_path / "eval_data_test.h5").rename(tmp_path / "data/eval_data_test.h5")
    assert call(*evaluate, cwd=tmp_path).json == scores
    (tmp_path / "data/eval_data_test.h5").rename(tmp_path / "data/mc_rtt/mc_rtt_truth.h5")
    (tmp_path / "data/eval_data_test.h5").touch()
    assert call(*evaluate, cwd=tmp_path).json == scores


def test_launch_export_and_evaluate_20_ms_ensemble(recordings: Path, tmp_path: Path) -> None:
    data = ("--data", recordings)
    options = ("--dataset", "mc_maze_small", "--arch", "rnnf", "--trials", "3", "--epochs", "3", "--pruner", "none")
    search("study", *options, "--bin-size", "20", data=recordings, cwd=tmp_path)
    assert call("export-best", "study", "--out", "three.h5", "--ensemble", "3", *data, cwd=tmp_path).code == 0
    scores = call("evaluate", "three.h5", "--dataset", "mc_maze_small", "--json", *data, cwd=tmp_path).json
    assert set(scores) == {"mc_maze_small_20"}
    too_many = call("export-best", "study", "--out", "four.h5", "--ensemble", "4", *data, cwd=tmp_path)
    assert too_many.code == 1
    assert "has 3 complete trials, fewer than the 4 requested" in too_many.err
    assert not (tmp_path / "four.h5").exists()
