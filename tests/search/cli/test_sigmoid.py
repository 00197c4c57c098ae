"""Chains that end in Sigmoid, on a binary recording."""

from pathlib import Path

import h5py
import pytest

from tests.helpers.processes.command import call, search


def test_search_export_and_evaluate_a_sigmoid_chain(tmp_path: Path) -> None:
    made = call("synthesize", "mc_rtt", "--binary", "--trials", "60", "--neurons", "16", cwd=tmp_path)
    assert made.code == 0, made.err
    options = ("--dataset", "mc_rtt", "--arch", "Conv -> GRU(1) -> FF -> Sigmoid", "--trials", "1")
    search("study", *options, "--epochs", "3", data="nlb-data", cwd=tmp_path)

    best = call("status", "study", "--json", cwd=tmp_path).json["best"]
    assert call("export-best", "study", "--out", "val.h5", cwd=tmp_path).code == 0
    scores = call("evaluate", "val.h5", "--dataset", "mc_rtt", "--json", cwd=tmp_path).json["mc_rtt"]
    assert scores["co-bps"] == pytest.approx(best["value"], abs=1e-4)
    with h5py.File(tmp_path / "val.h5") as file:
        rates = file["mc_rtt/eval_rates_heldout"][()]
    assert rates.min() > 0
    assert rates.max() < 1

    # In bins of 20 ms the same recording has more than one spike per bin.
    rejected = call("launch", "wider", *options, "--bin-size", "20", cwd=tmp_path)
    assert rejected.code == 2
    assert "'Sigmoid' supports at most 1 spike per bin, and mc_rtt has bins of 20 ms with" in rejected.err
