"""Prepared tensors equal those of nlb_tools, and its evaluation reads the targets."""

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
from nlb_tools.evaluation import evaluate
from nlb_tools.make_tensors import make_eval_target_tensors, save_to_h5

from nlb_search.data.dataset_files import find_files
from nlb_search.data.datasets import BIN_WIDTHS_MS, DATASETS, dataset_named
from nlb_search.data.opening import open_recording
from nlb_search.data.recording import UNSEEN
from nlb_search.data.synthesis import SynthesisOptions, synthesize
from tests.helpers.processes.in_process import open_in_process
from tests.helpers.recordings import foreign_nwb
from tests.helpers.recordings.nlb_reference import FIELDS, assert_same, loaded, quiet_nlb_tools, reference

CASES = [(layout, bin_ms) for layout in foreign_nwb.LAYOUTS for bin_ms in BIN_WIDTHS_MS]
SYNTHETIC = [*CASES, *((name, 20) for name in DATASETS if name not in foreign_nwb.LAYOUTS)]
"""Synthetic recordings: each layout in both bin widths, and the other sizes of mc_maze, whose layout is the same."""


@pytest.mark.parametrize(("layout", "bin_ms"), CASES)
def test_third_party_recording_matches_nlb_tools(written, cache, layout, bin_ms):
    recording = open_in_process(layout, written, bin_ms, cache)
    files = find_files(dataset_named(layout), written)
    assert_same(recording, reference(files.train, files.test, layout, bin_ms))
    assert (recording.train.n_trials, recording.train_val.n_trials, recording.test.n_trials) == (20, 28, 8)
    assert (recording.n_heldin, recording.n_heldout) == (6, 2)
    assert [getattr(recording.test, field) for field in FIELDS[1:]] == [None] * 3
    if layout == "dmfc_rsg":
        assert 0.05 < (recording.val.heldout == UNSEEN).mean() < 0.5


@pytest.fixture(scope="session")
def synthetic(tmp_path_factory) -> Callable[[str], Path]:
    """The folder of a small synthetic recording of each dataset, made once."""
    folder = tmp_path_factory.mktemp("synthetic")

    def made(name: str) -> Path:
        if not (folder / name).exists():
            trials = 130 if name == "dmfc_rsg" else 40
            synthesize(name, folder, SynthesisOptions(seed=3, n_trials=trials, n_neurons=12))
        return folder

    return made


@pytest.mark.parametrize(("name", "bin_ms"), SYNTHETIC)
def test_synthetic_recording_matches_nlb_tools(synthetic, cache, name, bin_ms):
    data = synthetic(name)
    files = find_files(dataset_named(name), data)
    assert_same(open_in_process(name, data, bin_ms, cache), reference(files.train, files.test, name, bin_ms))


def test_split_fields_are_views_of_one_memory_map(written, cache):
    recording = open_recording("dmfc_rsg", written, 20, cache)
    for split in (recording.train, recording.val, recording.train_val):
        assert split.counts.shape[1:] == (75 + 10, 6 + 2)
        assert split.counts.flags.c_contiguous
        assert isinstance(split.counts, np.memmap)
        assert not split.counts.flags.writeable
        assert all(np.shares_memory(getattr(split, field), split.counts) for field in FIELDS)
    assert recording.test.counts.shape[1:] == (75, 6)


@pytest.mark.parametrize(("layout", "bin_ms"), [*((layout, 5) for layout in foreign_nwb.LAYOUTS), ("dmfc_rsg", 20)])
def test_nlb_tools_evaluates_against_the_targets(written, cache, layout, bin_ms):
    recording = open_recording(layout, written, bin_ms, cache)
    rng = np.random.default_rng(0)
    rates = {}
    for prefix, split in (("train", recording.train), ("eval", recording.val)):
        for field in FIELDS:
            counts = getattr(split, field)
            mean = np.nanmean(np.where(counts == UNSEEN, np.nan, counts), axis=(0, 1))
            rates[f"{prefix}_rates_{field}"] = np.maximum(mean, 1e-4) * rng.uniform(0.99, 1.01, counts.shape)
    ((scores),) = (
        next(iter(split.values())) for split in evaluate(str(recording.val_targets), {recording.group: rates})
    )
    scaling = "[100] " if layout == "mc_maze_small" else ""
    assert scores[f"{scaling}co-bps"] == pytest.approx(0, abs=0.01)
    assert scores[f"{scaling}fp-bps"] == pytest.approx(0, abs=0.01)
    assert (f"{scaling}psth R2" in scores) == (layout != "mc_rtt")
    assert ("tp corr" in scores) == (layout == "dmfc_rsg")


def test_first_trial_id_does_not_matter(mine, written, cache, tmp_path):
    with h5py.File(mine("mc_rtt"), "r+") as file:
        file["intervals/trials/id"][...] += 1
    renumbered = open_in_process("mc_rtt", tmp_path, 5, tmp_path / "cache")
    original = open_recording("mc_rtt", written, 5, cache)
    with h5py.File(renumbered.val_targets) as file, h5py.File(original.val_targets) as expected:
        for name, values in expected["mc_rtt"].items():
            np.testing.assert_array_equal(file["mc_rtt"][name], values, err_msg=name)


def test_conditions_with_equal_trial_counts_can_be_saved(mine, tmp_path):
    train = mine("area2_bump")
    with h5py.File(train, "r+") as file:
        file["intervals/trials/ctr_hold_bump"][...] = False
    recording = open_in_process("area2_bump", tmp_path, 5, tmp_path / "cache")
    with h5py.File(recording.val_targets) as file:
        numbers = [list(trials) for trials in file["area2_bump/eval_cond_idx"]]
    assert numbers == [[0, 1, 4, 5], [2, 3, 6, 7]]
    # nlb_tools cannot write the targets that it makes itself.
    with quiet_nlb_tools():
        nwb = loaded(train, "area2_bump", 5)
        plain = make_eval_target_tensors(nwb, "area2_bump", "train", "val", save_file=False, include_psth=True)
    with pytest.raises(TypeError):
        save_to_h5(plain, str(tmp_path / "plain.h5"))


def test_preparing_does_not_use_the_global_numpy_generator(written, tmp_path):
    np.random.seed(1234)
    expected = np.random.random()
    np.random.seed(1234)
    open_recording("dmfc_rsg", written, 5, tmp_path)
    assert np.random.random() == expected


def test_preparing_prints_nothing(written, tmp_path, capfd):
    open_recording("area2_bump", written, 20, tmp_path)
    assert capfd.readouterr() == ("", "")
