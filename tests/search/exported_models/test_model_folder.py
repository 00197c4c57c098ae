"""A model that is kept: from `export-best --model` to the rates of new trials."""

import json
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

from nlb_search import load_model
from nlb_search.data.opening import open_recording
from nlb_search.data.own.recording_settings import read_settings
from nlb_search.data.recording import Recording
from nlb_search.models.architecture.chain import parse_chain
from nlb_search.models.architecture.chain_network import ChainNetwork
from nlb_search.models.hyperparameters import Hyperparameters
from nlb_search.search.ensembles.weighted_networks import WeightedNetwork
from nlb_search.search.errors import SearchError
from nlb_search.search.exported_models.model import Model
from nlb_search.search.recording_tensors import heldin_of
from tests.helpers.processes.command import call, search
from tests.helpers.recordings.own_nwb import OwnSession

HELDOUT = (2, 5, 11)


def session(path: Path, seed: int = 0, heldout: tuple[int, ...] = HELDOUT, n_neurons: int = 12) -> None:
    """A session of the same neurons for every seed; the unit column ``out`` marks those to hold out."""
    own = OwnSession(seed=seed, n_trials=40, n_neurons=n_neurons)
    own.units["out"] = [unit in heldout for unit in range(n_neurons)]
    own.write(path)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a study, and its ensemble of two trials as a submission and as a model."""
    folder = tmp_path_factory.mktemp("kept")
    session(folder / "session.nwb")
    (folder / "session.toml").write_text('heldout = "out"\nbehavior = "paw"\n')
    (folder / "causal.toml").write_text("bidirectional = false\n")
    search(
        *("study", "--dataset", "rat-7", "--recording", "session.toml", "--bin-size", "20"),
        *("--arch", "GRU(1) -> FF -> exp", "--arch", "FF -> exp", "--sampler", "random", "--pruner", "none"),
        *("--trials", "3", "--epochs", "2", "--space", "causal.toml"),
        data=folder / "session.nwb",
        cwd=folder,
    )
    exported = call("export-best", "study", "--ensemble", "2", "--out", "val.h5", "--model", "model", cwd=folder)
    assert exported.code == 0, exported.err
    return folder


@pytest.fixture(scope="module")
def recording(folder: Path) -> Recording:
    return open_recording("rat-7", folder / "session.nwb", 20, settings=read_settings(folder / "session.toml"))


def _submitted(folder: Path) -> np.ndarray:
    """The rates of the submission for the val trials: all bins, all neurons."""
    with h5py.File(folder / "val.h5") as file:
        group = file["rat-7_20"]
        parts = [
            np.concatenate([group[f"eval_rates_{kind}{ending}"][()] for kind in ("heldin", "heldout")], axis=2)
            for ending in ("", "_forward")
            if f"eval_rates_heldin{ending}" in group
        ]
    return np.concatenate(parts, axis=1)


def test_the_model_gives_the_rates_of_the_submission(folder: Path, recording: Recording) -> None:
    model = load_model(folder / "model")
    rates = model(heldin_of(recording.val).numpy())
    assert len(model.networks) == 2
    assert rates.dtype == np.float32
    np.testing.assert_array_equal(rates, _submitted(folder))
    one_by_one = np.concatenate([model(trial[None]) for trial in heldin_of(recording.val).numpy()])
    np.testing.assert_allclose(one_by_one, rates, rtol=1e-4)


def test_predict_gives_the_rates_of_the_submission_with_the_trials_rows(folder: Path, recording: Recording) -> None:
    predicted = call("predict", "model", "--data", "session.nwb", "--out", "rates.h5", cwd=folder)
    assert predicted.code == 0, predicted.err
    with h5py.File(folder / "rates.h5") as file, h5py.File(folder / "val.h5") as submission:
        np.testing.assert_array_equal(file["val/rates"], _submitted(folder))
        np.testing.assert_array_equal(file["val/trials"], submission["rat-7_20/eval_trials"])
        assert file["heldout_units"][()].tolist() == list(HELDOUT)
        assert file.attrs["unit"] == "spikes per bin"
        assert file.attrs["bin_ms"] == 20
        assert len(file["train/rates"]) == recording.train.n_trials
        assert "test" not in file


def test_predict_reads_a_new_session_of_the_same_neurons(folder: Path) -> None:
    session(folder / "next day.nwb", seed=7)
    predicted = call("predict", "model", "--data", "next day.nwb", "--out", "next.h5", cwd=folder)
    assert predicted.code == 0, predicted.err
    new = open_recording("rat-7", folder / "next day.nwb", 20, settings=read_settings(folder / "session.toml"))
    with h5py.File(folder / "next.h5") as file:
        expected = load_model(folder / "model")(heldin_of(new.train).numpy())
        np.testing.assert_array_equal(file["train/rates"], expected)
        assert len(file["train/trials"]) + len(file["val/trials"]) == 40


@pytest.mark.parametrize(
    ("heldout", "n_neurons", "says"),
    [
        (HELDOUT, 13, "9 held-in and 3 held-out neurons, but other.nwb has 10 and 3"),
        ((1, 5, 11), 12, "the held-in units of other.nwb are not those of the model: it lacks 1 and has 2 instead"),
    ],
)
def test_other_neurons_are_rejected(folder: Path, heldout: tuple[int, ...], n_neurons: int, says: str) -> None:
    session(folder / "other.nwb", heldout=heldout, n_neurons=n_neurons)
    rejected = call("predict", "model", "--data", "other.nwb", "--out", "other.h5", cwd=folder)
    assert rejected.code == 1
    assert says in rejected.err
    assert not (folder / "other.h5").exists()


def test_another_window_is_rejected(folder: Path) -> None:
    (folder / "short.toml").write_text('heldout = "out"\nwindow_ms = [0, 300]\n')
    arguments = ("--data", "session.nwb", "--recording", "short.toml", "--out", "short.h5")
    rejected = call("predict", "model", *arguments, cwd=folder)
    assert rejected.code == 1
    assert "the model reads windows of 25 bins of 20 ms, and those of session.nwb have 15" in rejected.err
    assert not (folder / "short.h5").exists()


def test_predict_replaces_only_files_of_rates(folder: Path) -> None:
    kept = (folder / "val.h5").read_bytes()
    rejected = call("predict", "model", "--data", "session.nwb", "--out", "val.h5", cwd=folder)
    assert rejected.code == 1
    assert "val.h5 exists and is not a file of rates" in rejected.err
    assert (folder / "val.h5").read_bytes() == kept


@pytest.mark.parametrize(
    ("counts", "says"),
    [
        (np.zeros((2, 25, 8)), "25 bins of 20 ms x 9 held-in neurons, but the array has the shape"),
        (np.zeros((25, 9)), "the array has the shape"),
        (np.full((1, 25, 9), np.nan), "replace NaN"),
        (np.full((1, 25, 9), -1), "must be finite and 0 or more"),
    ],
)
def test_arrays_that_are_not_counts_of_the_model_are_rejected(folder: Path, counts: np.ndarray, says: str) -> None:
    with pytest.raises(SearchError, match=says):
        load_model(folder / "model")(counts)


def test_the_folder_has_everything_without_pickle(folder: Path) -> None:
    files = sorted(path.name for path in (folder / "model").iterdir())
    assert files == ["model.json", "network-000.safetensors", "network-001.safetensors"]
    card = json.loads((folder / "model" / "model.json").read_text())["card"]
    best = call("status", "study", "--json", cwd=folder).json["best"]
    assert card["members"][0]["trial"] == best["number"]
    assert card["members"][0]["co_bps"] == best["value"]
    assert card["heldout_units"] == list(HELDOUT)
    scored = call("evaluate", "val.h5", "--dataset", "rat-7", "--data", "session.nwb", "--json", cwd=folder).json
    assert card["co_bps"] == pytest.approx(scored["rat-7_20"]["co-bps"], abs=1e-4)
    assert card["co_bps_low"] < card["co_bps"] < card["co_bps_high"]


def test_a_moved_folder_can_be_loaded_and_an_incomplete_one_is_rejected(folder: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(folder / "model", tmp_path / "copy"))
    load_model(copy)
    (copy / "network-001.safetensors").unlink()
    with pytest.raises(SearchError, match=r"lacks network-001\.safetensors: copy the whole folder"):
        load_model(copy)
    with pytest.raises(SearchError, match="is not a model"):
        load_model(tmp_path)


def test_a_model_of_version_0_5_0_can_be_loaded(folder: Path, tmp_path: Path) -> None:
    old = Path(shutil.copytree(folder / "model", tmp_path / "old"))
    described = json.loads((old / "model.json").read_text())
    described["format"] = 1
    for member in described["card"]["members"]:
        for name in ("study", "added", "rescored"):
            del member[name]
    (old / "model.json").write_text(json.dumps(described))
    counts = np.zeros((1, 25, 9))
    np.testing.assert_array_equal(load_model(old)(counts), load_model(folder / "model")(counts))


def test_an_existing_folder_is_not_replaced(folder: Path) -> None:
    before = {path: path.read_bytes() for path in (folder / "model").iterdir()}
    rejected = call("export-best", "study", "--model", "model", "--out", "new.h5", cwd=folder)
    assert rejected.code == 1
    assert "model exists and is not an empty folder" in rejected.err
    assert {path: path.read_bytes() for path in (folder / "model").iterdir()} == before
    assert not (folder / "new.h5").exists()


def test_a_model_trained_on_train_and_val_needs_no_test_trials(folder: Path, recording: Recording) -> None:
    options = ("--phase", "test", "--ensemble", "1", "--seeds", "2", "--workers", "1")
    exported = call("export-best", "study", *options, "--model", "refit", cwd=folder)
    assert exported.code == 0, exported.err
    refit = load_model(folder / "refit")
    assert refit.card.trained_on == "train + val"
    assert [network.weight for network in refit.networks] == [0.5, 0.5]
    heldin = heldin_of(recording.val).numpy()
    assert not np.allclose(refit(heldin), load_model(folder / "model")(heldin))


def test_importing_the_package_is_light() -> None:
    code = "import sys, nlb_search; print(*{'numpy', 'pydantic', 'torch'} & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_a_stream_gives_the_rates_of_whole_trials(folder: Path, recording: Recording) -> None:
    model = load_model(folder / "model")
    heldin = heldin_of(recording.val).numpy()
    stream = model.stream()
    rates = np.stack([stream.step(heldin[:, index]) for index in range(recording.n_window_bins)], axis=1)
    np.testing.assert_allclose(rates, model(heldin)[:, : recording.n_window_bins], rtol=1e-5, atol=1e-6)
    with pytest.raises(SearchError, match=r"8 trials x 9 held-in neurons, but the array has the shape \(3, 9\)"):
        stream.step(heldin[:3, 0])


def test_a_model_that_reads_later_bins_has_no_stream(folder: Path) -> None:
    card = load_model(folder / "model").card
    chain = "Conv -> FF -> exp"
    network = ChainNetwork(parse_chain(chain), card.sizes, Hyperparameters(), torch.ones(12))
    with pytest.raises(SearchError, match=f"the chain {chain} cannot predict bin by bin: Conv reads later bins"):
        Model((WeightedNetwork(network, {"architecture": chain}, 1.0),), card).stream()


@pytest.mark.skipif(find_spec("onnxscript") is not None, reason="the extra onnx is installed")
def test_onnx_without_its_packages_is_rejected_before_anything_is_written(folder: Path) -> None:
    rejected = call("export-best", "study", "--onnx", "model.onnx", "--out", "too.h5", cwd=folder)
    assert rejected.code == 1
    assert "pip install 'nlb-search[onnx]'" in rejected.err
    assert not (folder / "too.h5").exists()


def test_an_export_needs_something_to_write(folder: Path) -> None:
    rejected = call("export-best", "study", cwd=folder)
    assert rejected.code == 2
    assert "nothing to write: pass --out FILE.h5, --model DIR or --onnx FILE.onnx" in rejected.err
