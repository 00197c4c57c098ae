"""A model of a dataset of the benchmark: `predict` compares the unit ids of another recording."""

import json
import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest

from tests.helpers.processes.command import call, search
from tests.helpers.recordings.foreign_nwb import write_recording


@pytest.fixture(scope="module")
def folder(recordings: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a model of mc_rtt, and its rates on val as a submission."""
    folder = tmp_path_factory.mktemp("kept")
    options = ("--dataset", "mc_rtt", "--bin-size", "20", "--arch", "FF -> exp", "--trials", "1", "--epochs", "2")
    search("study", *options, data=recordings, cwd=folder)
    exported = call("export-best", "study", "--out", "val.h5", "--model", "model", "--data", recordings, cwd=folder)
    assert exported.code == 0, exported.err
    return folder


@pytest.fixture(scope="module")
def others(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a recording with as many neurons, which have other ids."""
    return write_recording(tmp_path_factory.mktemp("others") / "mc_rtt", "mc_rtt", 40, 12, seed=1).parent


def test_rates_name_units_and_trials(folder: Path, recordings: Path) -> None:
    predicted = call("predict", "model", "--data", recordings, "--out", "rates.h5", cwd=folder)
    assert predicted.code == 0, predicted.err
    with h5py.File(folder / "rates.h5") as file, h5py.File(folder / "val.h5") as submission:
        group = submission["mc_rtt_20"]
        heldin = file["val/rates"][:, : file.attrs["n_window_bins"], : len(file["heldin_units"])]
        np.testing.assert_array_equal(heldin, group["eval_rates_heldin"])
        np.testing.assert_array_equal(file["val/trials"], group["eval_trials"])
        np.testing.assert_array_equal(file["heldout_units"], group["heldout_units"])


def test_other_units_are_rejected(folder: Path, others: Path) -> None:
    rejected = call("predict", "model", "--data", others, "--out", "others.h5", cwd=folder)
    assert rejected.code == 1
    assert f"the held-in units of {others} are not those of the model: it lacks" in rejected.err
    assert not (folder / "others.h5").exists()


def test_a_model_of_version_0_8_0_has_no_ids_to_compare(folder: Path, others: Path, tmp_path: Path) -> None:
    shutil.copytree(folder / "model", tmp_path / "old")
    described = json.loads((tmp_path / "old" / "model.json").read_text())
    described["card"] |= {"units": None, "heldin_units": None, "heldout_units": None}
    (tmp_path / "old" / "model.json").write_text(json.dumps(described))
    predicted = call("predict", "old", "--data", others, "--out", "rates.h5", cwd=tmp_path)
    assert predicted.code == 0, predicted.err
