"""A model that is worse than each neuron's mean rate is reported by ``launch``, ``status`` and ``evaluate``."""

import math
from pathlib import Path

import h5py
import numpy as np
import pytest

from nlb_search.data import from_arrays
from tests.helpers.processes.command import call, search
from tests.helpers.recordings.toy_arrays import toy_arrays

WORSE = "co-bps is negative: the model predicts worse than each neuron's mean rate"
SPIKES = ("train_spikes_heldin", "train_spikes_heldout", "eval_spikes_heldin", "eval_spikes_heldout")


def constant_rates(path: Path, recording: Path, factor: float) -> Path:
    """A submission that predicts ``factor`` times the mean count of each neuron over the same trials."""
    with h5py.File(recording) as spikes, h5py.File(path, "w") as file:
        for name in SPIKES:
            counts = spikes[name][()].astype(float)
            file[f"toy/{name.replace('spikes', 'rates')}"] = np.full_like(counts, factor) * counts.mean(axis=(0, 1))
    return path


@pytest.mark.parametrize("factor", [2.0, 1.0])
def test_evaluate(factor: float, tmp_path: Path) -> None:
    """At f times the mean rates, co-bps is log2(f) - (f - 1) / ln 2: -0.4427 for 2, and 0 for the mean rates."""
    arrays = {name: toy_arrays(40, 16)[name] for name in SPIKES}
    from_arrays(tmp_path / "toy.h5", arrays)
    constant_rates(tmp_path / "rates.h5", tmp_path / "toy.h5", factor)
    command = ("evaluate", "rates.h5", "--dataset", "toy", "--data", "toy.h5")
    shown, as_json = call(*command, cwd=tmp_path), call(*command, "--json", cwd=tmp_path)
    expected = math.log2(factor) - (factor - 1) / math.log(2)
    assert as_json.json["toy"]["co-bps"] == pytest.approx(expected, abs=1e-9)
    for said in (shown, as_json):
        assert said.code == 0, said.err
        assert (f"toy: {WORSE}" in said.err) == (factor == 2.0), said.err


def test_launch_and_status(tmp_path: Path) -> None:
    """Neurons that fire in train hardly fire in val, and the other way round, so no model of train predicts val."""
    rng = np.random.default_rng(0)
    rates = np.tile([0.8, 0.05], 6)
    arrays = {
        f"{part}_spikes_{kind}": rng.poisson(mean[neurons], (40, 20, len(mean[neurons])))
        for part, mean in (("train", rates), ("eval", rates[::-1]))
        for kind, neurons in (("heldin", slice(8)), ("heldout", slice(8, None)))
    }
    from_arrays(tmp_path / "toy.h5", arrays)
    options = ("--dataset", "toy", "--arch", "rnnf", "--trials", "1", "--epochs", "20")
    search("study", *options, data="toy.h5", cwd=tmp_path)
    launched = call("launch", "study", "--data", "toy.h5", "--workers", "1", cwd=tmp_path)
    assert launched.code == 0, launched.err
    status = call("status", "study", cwd=tmp_path)
    assert call("status", "study", "--json", cwd=tmp_path).json["best"]["value"] < 0
    for told in (launched.out, status.out):
        assert WORSE in " ".join(told.split())
        assert "nlb-search inspect" in " ".join(told.split())
