"""`evaluate --detail`: the uncertainty of co-bps, co-bps of each neuron, and few-shot co-bps."""

import math
from pathlib import Path

import numpy as np
import pytest
from nlb_tools.evaluation import bits_per_spike

from nlb_search.data import from_arrays
from nlb_search.search.submission.detail import detail_of
from nlb_search.search.submission.evaluation import read_submission
from nlb_search.search.submission.submission_file import Prediction, write_submission
from tests.helpers.processes.command import call
from tests.helpers.recordings.toy_arrays import toy_arrays


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a recording whose first held-out neuron is silent on val, and a submission of noisy rates."""
    folder = tmp_path_factory.mktemp("detail")
    toy = toy_arrays(60, 30)
    toy["eval_spikes_heldout"][:, :, 0] = 0
    recording = from_arrays(folder / "toy.h5", toy)
    rng = np.random.default_rng(0)
    conditions = [rng.permutation(split.n_trials) % 2 for split in (recording.train, recording.val)]
    shapes = np.exp(0.3 * rng.normal(size=(2, *recording.train.counts.shape[1:]))) * recording.train.counts.mean((0, 1))
    train, val = (shapes[condition].astype(np.float32) for condition in conditions)
    write_submission(folder / "sub.h5", [Prediction(recording, "val", train, val)], {"toy": {}})
    return folder


def test_scores_of_neurons_and_of_all_are_those_of_nlb_tools(folder: Path) -> None:
    [submitted] = read_submission(folder / "sub.h5", "toy", folder / "toy.h5", None)
    detail = detail_of(submitted)
    rates, spikes = (
        array.astype(float)
        for array in (submitted.rates["eval_rates_heldout"], submitted.targets["eval_spikes_heldout"])
    )
    assert detail.co_bps == pytest.approx(bits_per_spike(rates, spikes), abs=1e-9)
    assert detail.interval.low < detail.co_bps < detail.interval.high
    silent, *others = detail.neurons
    assert (silent.unit, silent.spikes) == (0, 0)
    assert math.isnan(silent.co_bps)
    assert math.isnan(silent.interval.low)
    for one in others:
        assert one.interval.low < one.co_bps < one.interval.high
        neuron = slice(one.unit, one.unit + 1)
        assert one.co_bps == pytest.approx(bits_per_spike(rates[..., neuron], spikes[..., neuron]), abs=1e-9)
        assert one.spikes == spikes[..., neuron].sum()


def test_detail_in_the_terminal_and_as_json(folder: Path) -> None:
    arguments = ("evaluate", "sub.h5", "--dataset", "toy", "--data", "toy.h5")
    plain = call(*arguments, "--json", cwd=folder).json["toy"]
    detailed = call(*arguments, "--detail", "--json", cwd=folder).json["toy"]
    detail = detailed.pop("detail")
    assert detailed == plain
    assert detail["co-bps"]["value"] == pytest.approx(plain["co-bps"], abs=1e-6)
    assert [one["unit"] for one in detail["neurons"]] == [0, 1, 2]
    assert detail["neurons"][0]["co-bps"] is None
    assert list(detail["few-shot co-bps"]) == ["10", "30"]
    told = call(*arguments, "--detail", cwd=folder)
    words = " ".join(told.out.split())
    low, high = detail["co-bps"]["low"], detail["co-bps"]["high"]
    assert f"all held-out neurons {plain['co-bps']:.4f} {low:.4f} to {high:.4f} (95% bootstrap interval)" in words
    assert f"readout fitted on 30 trials {detail['few-shot co-bps']['30']['mean']:.4f}" in words
    assert "0 no spikes 0" in words


@pytest.mark.parametrize("ending", ["svg", "png", "html"])
def test_detail_as_a_figure(folder: Path, ending: str) -> None:
    arguments = ("evaluate", "sub.h5", "--dataset", "toy", "--data", "toy.h5", "--json", "--figure")
    scored = call(*arguments, f"detail.{ending}", cwd=folder)
    assert scored.code == 0, scored.err
    assert "detail" not in scored.json["toy"]
    drawn = (folder / f"detail.{ending}").read_bytes()
    if ending == "png":
        assert drawn.startswith(b"\x89PNG")
        return
    assert b"sub.h5: co-bps of held-out neurons" in drawn
    assert b"trials that the readout is fitted on" in drawn
    assert (ending == "html") == (b"Plotly.newPlot" in drawn)


def test_a_figure_of_an_unknown_format_is_rejected_first(folder: Path) -> None:
    rejected = call("evaluate", "none.h5", "--dataset", "toy", "--data", "toy.h5", "--figure", "detail.pdf", cwd=folder)
    assert rejected.code == 2
    assert "--figure detail.pdf: name a file that ends with .html, .png, .svg" in rejected.err
    assert not (folder / "detail.pdf").exists()
