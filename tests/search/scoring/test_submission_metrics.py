"""The metrics of a submission are those of nlb_tools, the benchmark's own code."""

import sys
from pathlib import Path

import numpy as np
import pytest

from nlb_search.data.opening import open_recording
from nlb_search.data.recording import UNSEEN
from nlb_search.search.scoring.nlb_tools_metrics import nlb_tools_metrics
from nlb_search.search.scoring.submission_metrics import benchmark_metrics
from nlb_search.search.scoring.targets import Arrays, read_group
from nlb_search.search.submission.submission_file import Prediction, write_submission
from tests.helpers.processes.command import call

FIELDS = ("heldin", "heldout", "heldin_forward", "heldout_forward")


def _rates(dataset: str, recordings: Path, bin_ms: int) -> tuple[str, Arrays, Arrays]:
    """The group of a dataset, random rates near each neuron's mean, in float32 as in a submission, and the targets."""
    recording = open_recording(dataset, recordings, bin_ms)
    rng = np.random.default_rng(0)
    rates = {}
    for prefix, split in (("train", recording.train), ("eval", recording.val)):
        for field in FIELDS:
            counts = getattr(split, field)
            mean = np.where(counts == UNSEEN, 0, counts).mean(axis=(0, 1))
            noise = np.exp(0.3 * rng.normal(size=counts.shape))
            rates[f"{prefix}_rates_{field}"] = (np.maximum(mean, 1e-4) * noise).astype(np.float32)
    rates["eval_rates_heldout"][0, 0] = 0
    return recording.group, rates, read_group(recording.val_targets, recording.group)


@pytest.mark.parametrize(
    ("dataset", "bin_ms", "names"),
    [
        ("mc_rtt", 5, {"co-bps", "vel R2", "fp-bps"}),
        ("mc_maze_small", 5, {"co-bps", "vel R2", "psth R2", "fp-bps"}),
        ("area2_bump", 5, {"co-bps", "vel R2", "psth R2", "fp-bps"}),
        ("dmfc_rsg", 5, {"co-bps", "tp corr", "psth R2", "fp-bps"}),
        ("dmfc_rsg", 20, {"co-bps", "tp corr", "psth R2", "fp-bps"}),
    ],
)
def test_every_layout_scores_as_with_nlb_tools(dataset: str, bin_ms: int, names: set[str], recordings: Path) -> None:
    group, rates, targets = _rates(dataset, recordings, bin_ms)
    ours = benchmark_metrics(rates, targets)
    assert set(ours) == names
    assert ours == pytest.approx(nlb_tools_metrics(dataset, group, rates, targets), rel=1e-10)


def test_submission_without_forward_rates_has_no_fp_bps(recordings: Path) -> None:
    group, rates, targets = _rates("mc_rtt", recordings, 5)
    window = {name: array for name, array in rates.items() if "forward" not in name}
    ours = benchmark_metrics(window, targets)
    assert set(ours) == {"co-bps", "vel R2"}
    assert ours == pytest.approx(nlb_tools_metrics("mc_rtt", group, window, targets), rel=1e-10)


def test_nlb_tools_is_optional(recordings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recording = open_recording("mc_rtt", recordings)
    train, val = (np.full(split.counts.shape, 0.1, np.float32) for split in (recording.train, recording.val))
    write_submission(tmp_path / "x.h5", [Prediction(recording, "val", train, val)], {"mc_rtt": {}})
    evaluate = ("evaluate", "x.h5", "--dataset", "mc_rtt", "--data", recordings, "--json")
    theirs = call(*evaluate, "--by", "nlb_tools", cwd=tmp_path)
    assert theirs.code == 0, theirs.err

    monkeypatch.setitem(sys.modules, "nlb_tools.evaluation", None)  # importing it fails, as where it is not installed
    ours = call(*evaluate, cwd=tmp_path)
    assert ours.json["mc_rtt"] == pytest.approx(theirs.json["mc_rtt"], rel=1e-10)
    rejected = call(*evaluate, "--by", "nlb_tools", cwd=tmp_path)
    assert rejected.code == 1
    assert "pip install --no-deps nlb_tools==0.0.4" in rejected.err
