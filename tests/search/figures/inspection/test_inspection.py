"""`nlb-search inspect`: what it prints of recordings of each layout, and which problems it reports."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from nlb_tools import evaluation

from nlb_search.data import from_arrays
from nlb_search.data.inspection.inspection import Inspection, inspection_of
from nlb_search.data.inspection.survey import survey_of
from nlb_search.data.recording import UNSEEN, Recording
from nlb_search.models.architecture.chain import parse_chain
from nlb_search.models.errors import ChainError
from nlb_search.models.scoring.smoothing_baseline import smoothed_rates
from nlb_search.models.tensors import Counts, Sizes
from nlb_search.search.creation.study_creation import check_chain
from nlb_search.search.figures.inspection.inspection_table import facts, heads_of
from nlb_search.search.figures.inspection.inspection_warnings import inspection_warnings
from tests.helpers.processes.command import call, run
from tests.helpers.recordings.built_recording import N_WINDOW, build, population
from tests.helpers.recordings.own_nwb import OwnSession
from tests.helpers.recordings.toy_arrays import Arrays, toy_arrays


def _inspect(recording: Recording) -> Inspection:
    return inspection_of(survey_of(recording))


@pytest.mark.parametrize(
    ("dataset", "behavior", "averages"),
    [
        ("mc_rtt", "decoded for vel R2", "none, so no psth R2"),
        ("mc_maze_small", "decoded for vel R2", "4 conditions"),
        ("area2_bump", "decoded for vel R2", "conditions"),
        ("dmfc_rsg", "for tp corr", "conditions"),
    ],
)
def test_inspect_each_layout(dataset: str, behavior: str, averages: str, recordings: Path, tmp_path: Path) -> None:
    told = call("inspect", "--dataset", dataset, "--data", recordings, cwd=tmp_path)
    assert told.code == 0, told.err
    words = " ".join(told.out.split())
    assert "9 held-in (0 to 8), 3 held-out (9 to 11)" in words
    assert "25 train, 10 val, 10 test" in words
    assert behavior in words
    assert averages in words
    assert "! neurons that never fire in train or val: " in words
    assert "use --out DIR to write a page with figures" in words
    assert list(tmp_path.iterdir()) == []


def test_inspect_json_and_page(recordings: Path, tmp_path: Path) -> None:
    done = run("inspect", "--dataset", "dmfc_rsg", "--data", recordings, "--out", "page", "--json", cwd=tmp_path)
    assert done.code == 0, done.err
    found = json.loads(done.out)
    assert found["splits"]["test"]["n_trials"] == 10
    assert len(found["never_fire"]) == 1
    assert found["heads"] == ["exp"]
    assert 0 < found["splits"]["val"]["unseen"]["heldout"] < 1
    assert [path.name for path in (tmp_path / "page").iterdir()] == ["inspection.html"]


def _spikes_only(arrays: Arrays) -> Arrays:
    return {name: values for name, values in arrays.items() if "spikes" in name and "forward" not in name}


def test_inspect_shows_the_smoothing_baseline(tmp_path: Path) -> None:
    arrays = _spikes_only(toy_arrays())
    from_arrays(tmp_path / "toy.h5", arrays, bin_ms=20)
    command = ("inspect", "--dataset", "toy", "--data", "toy.h5", "--bin-size", "20")
    found = json.loads(call(*command, "--json", cwd=tmp_path).out)
    together = np.concatenate([arrays["train_spikes_heldin"], arrays["train_spikes_heldout"]], axis=2)
    train = Counts(
        torch.from_numpy(together.astype(np.uint8)), Sizes(n_heldin=9, n_heldout=3, n_window=24, n_forward=0)
    )
    rates = smoothed_rates(train, torch.from_numpy(arrays["eval_spikes_heldin"]), 20)
    expected = evaluation.bits_per_spike(rates.numpy(), arrays["eval_spikes_heldout"].astype(float))
    assert found["smoothing_co_bps"] == pytest.approx(expected, abs=1e-5)
    assert f"smoothing baseline: co-bps {expected:.4f} on val" in call(*command, cwd=tmp_path).out


def test_baseline_that_is_worse_than_the_mean_rate_is_a_problem(tmp_path: Path) -> None:
    """In val, held-out neurons fire when they do not in train."""
    arrays = _spikes_only(toy_arrays())
    arrays["eval_spikes_heldout"] = arrays["eval_spikes_heldout"].max() - arrays["eval_spikes_heldout"]
    from_arrays(tmp_path / "toy.h5", arrays, bin_ms=20)
    told = call("inspect", "--dataset", "toy", "--data", "toy.h5", "--bin-size", "20", cwd=tmp_path).out
    assert "! the smoothing baseline has a co-bps of -" in told
    assert "it predicts worse than each neuron's mean rate" in told


def test_bin_size_zero_is_rejected(recordings: Path, tmp_path: Path) -> None:
    rejected = call("inspect", "--dataset", "mc_rtt", "--data", recordings, "--bin-size", "0", cwd=tmp_path)
    assert rejected.code == 2
    assert "--bin-size" in rejected.err


def test_inspect_wider_bins(recordings: Path, tmp_path: Path) -> None:
    command = ("inspect", "--dataset", "mc_rtt", "--data", recordings, "--json", "--bin-size")
    fine, wide = (call(*command, width, cwd=tmp_path).json for width in ("5", "20"))
    assert (fine["n_window_bins"], wide["n_window_bins"]) == (120, 30)
    assert wide["heldin_hz"]["median"] == pytest.approx(fine["heldin_hz"]["median"], rel=1e-3)


@pytest.mark.parametrize("most", [1, 2])
def test_reported_heads_are_accepted_by_launch(most: int, tmp_path: Path) -> None:
    counts = np.minimum(population(rate=0.2), most).astype(np.uint8)
    recording = build(tmp_path, counts)
    accepted = []
    for head in ("exp", "Sigmoid"):
        try:
            check_chain(parse_chain(f"FF -> {head}"), recording)
        except ChainError:
            continue
        accepted.append(head)
    assert heads_of(_inspect(recording)) == accepted


def test_ordinary_recording_has_no_warnings(tmp_path: Path) -> None:
    assert inspection_warnings(_inspect(build(tmp_path, population(n_trials=400)))) == []


def _leak(counts: np.ndarray) -> None:
    counts[..., 13] = counts[..., 3]


def _copy(counts: np.ndarray) -> None:
    counts[..., 4] = counts[..., 3]


def _share_a_trial(counts: np.ndarray) -> None:
    counts[3] = counts[4]


def _silence(counts: np.ndarray) -> None:
    counts[..., :8] = 0


def _lose(counts: np.ndarray) -> None:
    counts[300:, :, 12] = 0


def _jump(counts: np.ndarray) -> None:
    counts[9, 9, 9] = 99


def _hit_all(counts: np.ndarray) -> None:
    counts[77, 7] = 1


def _fall_silent(counts: np.ndarray) -> None:
    counts[3] = 0


def _drift(counts: np.ndarray) -> None:
    counts[200:] += population(n_trials=200, seed=5)


def _cut(counts: np.ndarray) -> None:
    counts[3, 20:] = UNSEEN


def _hasten(counts: np.ndarray) -> None:
    counts += population(n_trials=400, rate=0.4, seed=5)


def _scale(counts: np.ndarray) -> None:
    counts[..., 2] *= 2


def _speed_up(counts: np.ndarray) -> None:
    counts[..., 6] = np.random.default_rng(9).poisson(1.5, counts.shape[:2])


def _dominate(counts: np.ndarray) -> None:
    counts[..., 14] += np.random.default_rng(9).poisson(0.4, counts.shape[:2]).astype(np.uint8)


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (
            _leak,
            "a held-out neuron has exactly the spikes of a held-in neuron: 3 (held-in) and 13 (held-out). ",
        ),
        (_copy, "two neurons have the same spikes: 3 (held-in) and 4 (held-in)."),
        (_share_a_trial, "val contains trials that are also in train: 0 of val."),
        (_silence, "0 (held-in), 1 (held-in), 2 (held-in), 3 (held-in), 4 (held-in), 5 (held-in) and 2 more."),
        (_lose, "silent for an improbably long time: 12 (held-out) in trials"),
        (_jump, "more spikes in one bin of 5 ms than one neuron can fire: 99 of 9 (held-in)."),
        (_hit_all, "bins in which most neurons fire at once: 1, in trials 77 of train and val."),
        (_fall_silent, "val has trials without any spike: 0."),
        (_drift, "the mean rate of held-in neurons drifts from"),
        (_cut, "of the held-in bins of val were not recorded"),
        (_scale, "all counts of a neuron are multiples of one number: 2 for 2 (held-in)."),
        (_speed_up, "implausibly high mean rates: 298 spikes/s of 6 (held-in)."),
        (_dominate, "of the held-out spikes of val are those of 14 (held-out): co-bps is mostly the score"),
        (_hasten, "check that bins really are 5 ms wide"),
    ],
)
def test_each_problem_gives_exactly_its_warning(spoil, says: str, tmp_path: Path) -> None:
    counts = population(n_trials=400)
    spoil(counts)
    [warning] = inspection_warnings(_inspect(build(tmp_path, counts)))
    assert says in warning


def test_warning_for_few_held_out_spikes(tmp_path: Path) -> None:
    targets = {"train_behavior": np.ones((90, N_WINDOW, 2)), "eval_behavior": np.full((30, N_WINDOW, 2), np.nan)}
    few, missing, constant = inspection_warnings(_inspect(build(tmp_path, population(), targets=targets)))
    assert "spikes in val: co-bps is noisy" in few
    assert "0% of train and 100% of val" in missing
    assert "0, 1 of its 2 columns" in constant


def test_short_intervals_and_repeated_spikes_are_reported_by_unit(tmp_path: Path) -> None:
    """Unit 2 has every spike twice, and a tenth of unit 5's spikes are followed by another after 0.6 ms."""
    session, rng = OwnSession(n_trials=40), np.random.default_rng(0)
    clocks = (np.cumsum(rng.integers(3, 60, 4000)) / 1000 for _ in range(session.n_neurons))
    session.spikes = [times[times < session.end] + 0.0004 for times in clocks]
    session.spikes[2] = np.repeat(session.spikes[2], 2)
    session.spikes[5] = np.sort(np.append(session.spikes[5], session.spikes[5][::10] + 0.0006))
    session.write(tmp_path / "session.nwb")
    found = call("inspect", "--dataset", "own", "--data", "session.nwb", "--json", cwd=tmp_path)
    assert found.code == 0, found.err
    units = {unit["unit"]: unit for unit in found.json["intervals"]}
    n_twice, n_mixed = (len(session.spikes[unit]) for unit in (2, 5))
    assert (units[2]["n_spikes"], units[2]["repeated"], units[2]["short"]) == (n_twice, n_twice // 2, 0)
    n_short = -(-(n_mixed * 10 // 11) // 10)
    assert units[5]["short"] == pytest.approx(n_short / (n_mixed - 1), abs=1e-3)
    assert all(unit["short"] == unit["repeated"] == 0 for unit in units.values() if unit["unit"] not in (2, 5))
    lines = found.json["warnings"]
    assert any(f"previous spike: {n_twice // 2} of {n_twice} spikes of unit 2. The same" in line for line in lines)
    assert any(f"period: {units[5]['short']:.1%} of unit 5. The units" in line for line in lines)
    numbered = found.json["identities"]["heldin"] + found.json["identities"]["heldout"]
    assert any(f"2 for {numbered.index(2)} (held-" in line and ", unit 2). They may" in line for line in lines)
    told = call("inspect", "--dataset", "own", "--data", "session.nwb", cwd=tmp_path)
    assert f"spikes with equal times: {n_twice // 2}" in " ".join(told.out.split())


def test_missing_parts_are_reported(tmp_path: Path) -> None:
    told = dict(facts(_inspect(build(tmp_path, population(), n_window=population().shape[1], bin_ms=50))))
    assert "no test file" in told["trials"]
    assert "no fp-bps" in told["bins"]
    assert "not computed for bins wider than 20 ms" in told["pairs"]
    assert "no vel R2" in told["behaviour"]
    assert told["intervals"] == "unknown: arrays have no spike times"


def test_invalid_input_is_rejected_in_one_line(recordings: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for arguments, code, says in (
        (("--dataset", "mc_maz"), 2, "unknown dataset 'mc_maz'"),
        (("--dataset", "mc_rtt", "--bin-size", "7"), 1, "bins of 7 ms: choose 5 or 20"),
        (("--dataset", "mc_rtt", "--out", "file/page"), 1, "cannot write the page to file/page: Not a directory"),
        ((), 2, "--dataset"),
    ):
        rejected = call("inspect", *arguments, "--data", recordings, cwd=tmp_path)
        assert rejected.code == code
        assert says in rejected.err
        assert rejected.out == ""
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
