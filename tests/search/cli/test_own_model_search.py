"""A search of users' models and a chain: from the files in the working folder to rates of new trials."""

import hashlib
import json
import shutil
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

from nlb_search import load_model
from nlb_search.search.study.open_study import Locations, open_named_study
from nlb_search.storage.database.urls import parse_url
from tests.helpers.processes.command import Outcome, call, run
from tests.helpers.recordings.own_nwb import OwnSession

EXAMPLES = Path(__file__).parents[3] / "docs" / "examples"
RECORDING = ("--dataset", "rat-7", "--data", "session.nwb", "--bin-size", "20")
SPACE = """
lr = 0.01
batch_size = [8, 16]

[TCN]
channels = { low = 16, high = 24 }
layers = 2

[LFADS]
hidden = 32
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two models, and a study of them and a chain by real processes, with an ensemble of all three."""
    folder = tmp_path_factory.mktemp("own")
    OwnSession(seed=0, n_trials=40, n_neurons=12).write(folder / "session.nwb")
    (folder / "space.toml").write_text(SPACE)
    for example in ("tcn", "lfads"):
        shutil.copy(EXAMPLES / f"{example}.py", folder / f"lab_{example}.py")
    launched = run(
        *("launch", "study", *RECORDING, "--arch", "lab_tcn:TCN", "--arch", "lab_lfads:LFADS", "--arch", "FF -> exp"),
        *("--space", "space.toml", "--trials", "3", "--epochs", "2", "--pruner", "none", "--workers", "1"),
        cwd=folder,
    )
    assert launched.code == 0, launched.err
    exported = call("export-best", "study", "--ensemble", "3", "--out", "val.h5", "--model", "model", cwd=folder)
    assert exported.code == 0, exported.err
    return folder


def test_every_architecture_has_a_trial_and_its_own_settings(folder: Path) -> None:
    locations = Locations(parse_url(f"sqlite:///{folder}/nlb-search.db"), folder, folder)
    trials = open_named_study(locations, "study").study.get_trials()
    assert [trial.params["architecture"] for trial in trials] == ["lab_tcn:TCN", "lab_lfads:LFADS", "FF -> exp"]
    assert trials[0].params.keys() >= {"TCN.channels", "TCN.kernel", "batch_size", "lr", "mask_ratio"}
    assert trials[1].params["LFADS.kl_weight"] == 0.1
    assert all(trial.value is not None for trial in trials)


def test_ensemble_is_exported_with_the_sources_of_its_models(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    card = json.loads((folder / "val.h5.card.json").read_text())
    [dataset] = card["datasets"]
    assert len(dataset["members"]) == 3
    for model in ("lab_tcn:TCN", "lab_lfads:LFADS"):
        source = folder / f"{model.partition(':')[0]}.py"
        assert dataset["versions"][model] == f"sha256:{hashlib.sha256(source.read_bytes()).hexdigest()}"
        assert f"{model} sha256:" in (folder / "val.h5.card.md").read_text()
    monkeypatch.chdir(folder)
    predicted = call("predict", "model", "--data", "session.nwb", "--out", "rates.h5", cwd=folder)
    assert predicted.code == 0, predicted.err
    with h5py.File("rates.h5") as new, h5py.File("val.h5") as old:
        heldout = old["rat-7_20/eval_rates_heldout"][()]
        n_window = heldout.shape[1]
        np.testing.assert_allclose(new["val/rates"][:, :n_window, -heldout.shape[2] :], heldout, rtol=1e-5)
    assert [type(one.network).__name__ for one in load_model("model").networks].count("OwnNetwork") == 2


def test_models_are_trained_again_on_train_and_val(folder: Path) -> None:
    options = ("--trial", "1", "--seeds", "1", "--phase", "test", "--model", "again")
    exported = call("export-best", "study", *options, cwd=folder)
    assert exported.code == 0, exported.err
    assert json.loads((folder / "again" / "model.json").read_text())["card"]["trained_on"] == "train + val"


def test_model_does_not_predict_bin_by_bin(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    with pytest.raises(Exception, match="a model of your own reads whole windows"):
        load_model("model").stream()


def test_model_needs_its_module(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "lab_tcn")
    hidden = (folder / "lab_tcn.py").rename(folder / "hidden")
    try:
        rejected = call("predict", "model", "--data", "session.nwb", "--out", "none.h5", cwd=folder)
    finally:
        hidden.rename(folder / "lab_tcn.py")
    assert rejected.code == 2
    assert "there is no module lab_tcn: install it, add the folder that contains it to PYTHONPATH" in rejected.err
    assert not (folder / "none.h5").exists()


def test_changed_source_is_rejected(folder: Path) -> None:
    source = folder / "lab_tcn.py"
    text = source.read_text()
    before = hashlib.sha256(text.encode()).hexdigest()
    try:
        source.write_text(text + "\n")
        after = hashlib.sha256(source.read_bytes()).hexdigest()
        for command in (
            ("worker", "study"),
            ("export-best", "study", "--out", "again.h5", "--phase", "val"),
            ("predict", "model", "--data", "session.nwb", "--out", "again.h5"),
        ):
            rejected = call(*command, cwd=folder)
            assert rejected.code == 1
            assert f"{source} has sha256:{after}, and the study was created with sha256:{before}" in rejected.err
        assert not (folder / "again.h5").exists()
    finally:
        source.write_text(text)


def test_enqueued_settings_of_a_model_are_checked(folder: Path) -> None:
    def enqueue(*settings: str) -> Outcome:
        return call("enqueue", "study", *(word for text in settings for word in ("--set", text)), cwd=folder)

    for settings, says in {
        (
            "TCN.channels=20",
        ): "TCN.channels is not used by lab_lfads:LFADS: remove it, or choose another chain with arch",
        (
            "architecture=lab_tcn:TCN",
            "TCN.channels=2",
        ): "TCN.channels must be an integer at least 16 and at most 128",
        ("architecture=lab_tcn:TCN", "TCN.channels=48"): "TCN.channels = 48 is outside the study's space",
        (
            "architecture=lab_tcn:TCN",
            "batch_size=32",
        ): "batch_size = 32 is outside the study's space: choose from 8, 16",
    }.items():
        rejected = enqueue(*settings)
        assert rejected.code == 2
        assert says in rejected.err
    assert enqueue("architecture=lab_tcn:TCN", "TCN.channels=20", "batch_size=16").code == 0


@pytest.mark.parametrize(
    ("architecture", "space", "says"),
    [
        ("no_such_lab.nets:Net", "", "there is no module no_such_lab.nets"),
        ("own_nets:Net", "", "has no class Net"),
        ("own_nets:OnlyWindow", "", "forward returned log-rates of shape"),
        ("own_nets:NotFinite", "", "forward returned log-rates that are not finite"),
        ("own_nets:NoModule", "", "is not a subclass of torch.nn.Module"),
        ("own_nets:Good", "[Good]\nchanels = 4\n", "space.toml: own_nets:Good has no hyperparameter 'chanels'"),
        ("./own_nets.py:Good", "", "write MODULE:CLASS"),
    ],
)
def test_model_that_does_not_work_creates_no_study(
    architecture: str, space: str, says: str, folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "space.toml").write_text(space)
    options = ("--dataset", "rat-7", "--data", folder / "session.nwb", "--bin-size", "20", "--space", "space.toml")
    rejected = call("launch", "s", *options, "--arch", architecture, "--trials", "1", cwd=tmp_path)
    assert rejected.code == 2
    assert says in rejected.err
    assert [path.name for path in tmp_path.iterdir()] == ["space.toml"]
