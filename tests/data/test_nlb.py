"""The prepared tensors are nlb_tools' own, and what nlb_tools cannot read is explained."""

import shutil
from collections.abc import Callable
from pathlib import Path

import foreign_nwb
import h5py
import numpy as np
import pytest
from nlb_tools.evaluation import evaluate
from nlb_tools.make_tensors import (
    h5_to_dict,
    make_eval_input_tensors,
    make_eval_target_tensors,
    make_train_input_tensors,
    save_to_h5,
)
from nlb_tools.nwb_interface import NWBDataset

from data.errors import DataError
from data.opening import open_recording
from data.recording import UNSEEN

FIELDS = ("heldin", "heldout", "heldin_forward", "heldout_forward")
CASES = [(layout, 5) for layout in foreign_nwb.LAYOUTS] + [("dmfc_rsg", 20)]


@pytest.fixture(scope="session")
def written(tmp_path_factory) -> Path:
    """A folder with one recording of each layout, never changed."""
    folder = tmp_path_factory.mktemp("written")
    for layout in foreign_nwb.LAYOUTS:
        foreign_nwb.write_recording(folder / layout, layout)
    return folder


@pytest.fixture(scope="session")
def cache(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def mine(written, tmp_path) -> Callable[[str], Path]:
    """Copies a recording for a test to spoil; gives the path of its training file."""

    def copy(layout: str) -> Path:
        return Path(shutil.copytree(written / layout, tmp_path / layout)) / "my-train-set.nwb"

    return copy


def plainly_loaded(path: Path, bin_ms: int) -> NWBDataset:
    # All that is in the file, but for a series whose gaps would cost nlb_tools the spikes beside them.
    loaded = NWBDataset(str(path), skip_fields=["pupil"])
    loaded.resample(bin_ms)
    return loaded


def assert_counts_equal(counts: np.ndarray, spikes: np.ndarray) -> None:
    assert isinstance(counts, np.memmap)
    assert counts.dtype == np.uint8
    assert not counts.flags.writeable
    np.testing.assert_array_equal(counts, np.where(np.isnan(spikes), UNSEEN, spikes))


@pytest.mark.parametrize(("layout", "bin_ms"), CASES)
def test_training_tensors_are_those_of_nlb_tools(written, cache, layout, bin_ms):
    recording = open_recording(layout, written, bin_ms, cache)
    loaded = plainly_loaded(written / layout / "my-train-set.nwb", bin_ms)
    for split, selected in ((recording.train, "train"), (recording.train_val, ["train", "val"])):
        plain = make_train_input_tensors(loaded, layout, selected, save_file=False, include_forward_pred=True)
        for field in FIELDS:
            assert_counts_equal(getattr(split, field), plain[f"train_spikes_{field}"])
    assert (recording.train.n_trials, recording.train_val.n_trials) == (20, 28)
    assert (recording.n_heldin, recording.n_heldout) == (6, 2)
    assert recording.train.heldin.shape[1:] == (recording.n_window_bins, recording.n_heldin)
    assert recording.train.heldout_forward.shape[1:] == (recording.n_forward_bins, recording.n_heldout)


def test_the_parts_of_a_split_are_views_of_its_one_mapped_array(written, cache):
    recording = open_recording("dmfc_rsg", written, 20, cache)
    for split in (recording.train, recording.val, recording.train_val):
        assert split.counts.shape[1:] == (75 + 10, 6 + 2)
        assert split.counts.flags.c_contiguous
        assert isinstance(split.counts, np.memmap)
        assert all(np.shares_memory(getattr(split, field), split.counts) for field in FIELDS)
    assert recording.test.counts.shape[1:] == (75, 6)


@pytest.mark.parametrize(("layout", "bin_ms"), CASES)
def test_validation_tensors_and_targets_are_those_of_nlb_tools(written, cache, layout, bin_ms):
    recording = open_recording(layout, written, bin_ms, cache)
    loaded = plainly_loaded(written / layout / "my-train-set.nwb", bin_ms)
    inputs = make_eval_input_tensors(loaded, layout, "val", save_file=False)
    plain = make_eval_target_tensors(loaded, layout, "train", "val", save_file=False, include_psth=True)
    assert list(plain) == [recording.group]
    targets = plain[recording.group]

    assert_counts_equal(recording.val.heldin, inputs["eval_spikes_heldin"])
    for field in FIELDS[1:]:
        assert_counts_equal(getattr(recording.val, field), targets[f"eval_spikes_{field}"])
    if layout == "dmfc_rsg":
        assert 0.05 < (recording.val.heldout == UNSEEN).mean() < 0.5

    with h5py.File(recording.val_targets) as file:
        saved = h5_to_dict(file)[recording.group]
    assert saved.keys() == targets.keys()
    for name, values in targets.items():
        if name.endswith("cond_idx"):
            assert [list(trials) for trials in saved[name]] == [list(trials) for trials in values]
        else:
            np.testing.assert_allclose(saved[name], values.astype(float), rtol=1e-6, atol=1e-9, err_msg=name)


@pytest.mark.parametrize(("layout", "bin_ms"), CASES)
def test_test_tensors_are_those_of_nlb_tools(written, cache, layout, bin_ms):
    recording = open_recording(layout, written, bin_ms, cache)
    loaded = plainly_loaded(written / layout / "my-test-set.nwb", bin_ms)
    plain = make_eval_input_tensors(loaded, layout, "test", save_file=False)
    assert_counts_equal(recording.test.heldin, plain["eval_spikes_heldin"])
    assert recording.test.n_trials == 8
    assert [getattr(recording.test, field) for field in FIELDS[1:]] == [None] * 3


@pytest.mark.parametrize(("layout", "bin_ms"), CASES)
def test_the_benchmark_s_evaluation_reads_the_targets(written, cache, layout, bin_ms):
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


def test_time_that_was_not_observed_is_unseen_in_a_test_trial(mine, tmp_path):
    train = mine("mc_rtt")
    test = train.with_name("my-test-set.nwb")
    with h5py.File(test, "r+") as file:
        file["units/obs_intervals"][:, 0] = 0.4
    recording = open_recording("mc_rtt", tmp_path, 5, tmp_path / "cache")
    plain = make_eval_input_tensors(plainly_loaded(test, 5), "mc_rtt", "test", save_file=False)
    assert_counts_equal(recording.test.heldin, plain["eval_spikes_heldin"])
    assert (recording.test.heldin[0, :40] == UNSEEN).all()
    assert (recording.test.heldin[0, 40:] != UNSEEN).all()


def test_trial_numbers_that_start_elsewhere_change_nothing(mine, written, cache, tmp_path):
    with h5py.File(mine("mc_rtt"), "r+") as file:
        file["intervals/trials/id"][...] += 1
    renumbered = open_recording("mc_rtt", tmp_path, 5, tmp_path / "cache")
    original = open_recording("mc_rtt", written, 5, cache)
    with h5py.File(renumbered.val_targets) as file, h5py.File(original.val_targets) as expected:
        for name, values in expected["mc_rtt"].items():
            np.testing.assert_array_equal(file["mc_rtt"][name], values, err_msg=name)


def test_conditions_with_equally_many_trials_can_be_saved(mine, tmp_path):
    train = mine("area2_bump")
    with h5py.File(train, "r+") as file:
        file["intervals/trials/ctr_hold_bump"][...] = False
    recording = open_recording("area2_bump", tmp_path, 5, tmp_path / "cache")
    with h5py.File(recording.val_targets) as file:
        numbers = [list(trials) for trials in file["area2_bump/eval_cond_idx"]]
    assert numbers == [[0, 1, 4, 5], [2, 3, 6, 7]]
    # As nlb_tools gives them, they are refused by its own writer.
    plain = make_eval_target_tensors(
        plainly_loaded(train, 5), "area2_bump", "train", "val", save_file=False, include_psth=True
    )
    with pytest.raises(TypeError):
        save_to_h5(plain, str(tmp_path / "plain.h5"))


def test_numpy_s_global_generator_is_left_alone(written, tmp_path):
    np.random.seed(1234)
    expected = np.random.random()
    np.random.seed(1234)
    open_recording("dmfc_rsg", written, 5, tmp_path)
    assert np.random.random() == expected


def test_preparing_prints_nothing(written, tmp_path, capfd):
    open_recording("area2_bump", written, 20, tmp_path)
    assert capfd.readouterr() == ("", "")


def column(name: str, change: Callable[[np.ndarray], object]) -> Callable[[Path], None]:
    """Changes one column, or array, of an HDF5 file."""

    def spoil(path: Path) -> None:
        with h5py.File(path, "r+") as file:
            values = file[name][()]
            file[name][()] = change(values)

    return spoil


def without(name: str) -> Callable[[Path], None]:
    def spoil(path: Path) -> None:
        with h5py.File(path, "r+") as file:
            del file[name]

    return spoil


def cut_off(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:50_000])


def as_numbers(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        values = file["units/heldout"][()].astype(int)
        del file["units/heldout"]
        file["units/heldout"] = values


def crowded(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        ends = file["units/spike_times_index"][()]
        busiest = np.argmax(np.diff(ends, prepend=0))
        file["units/spike_times"][ends[busiest] - 300 : ends[busiest]] = 1.0012


def at(index: int, value: float) -> Callable[[np.ndarray], np.ndarray]:
    def change(values: np.ndarray) -> np.ndarray:
        values[index] = value
        return values

    return change


def none_for(split: bytes) -> Callable[[np.ndarray], np.ndarray]:
    return lambda values: np.where(values == split, b"none", values)


TRIALS = "intervals/trials"
SPOILED_TRAINING_FILES = {
    "empty": ("mc_rtt", lambda path: path.write_bytes(b""), "not a whole NWB file"),
    "cut off": ("mc_rtt", cut_off, "not a whole NWB file"),
    "text": ("mc_rtt", lambda path: path.write_text("version https://git-lfs"), "not a whole NWB file"),
    "no trial table": ("mc_rtt", without(TRIALS), "no trial column 'split', no trial column 'start_time'"),
    "no flags": ("mc_rtt", without("units/heldout"), "no unit column 'heldout'"),
    "flags as numbers": ("mc_rtt", as_numbers, "no true or false in unit column 'heldout'"),
    "no held-out units": ("mc_rtt", column("units/heldout", np.zeros_like), "no held-out units"),
    "no held-in units": ("mc_rtt", column("units/heldout", np.ones_like), "no held-in units"),
    "no behavior": ("mc_rtt", without("processing/behavior/finger_vel"), "no time series 'finger_vel'"),
    "behavior between milliseconds": (
        "mc_rtt",
        column("processing/behavior/finger_vel/timestamps", lambda times: times + 0.0005),
        "'finger_vel' is not sampled at whole milliseconds",
    ),
    "no conditions": ("mc_maze_small", without(f"{TRIALS}/trial_type"), "no trial column 'trial_type'"),
    "no go time": ("dmfc_rsg", without(f"{TRIALS}/go_time"), "no trial column 'go_time'"),
    "no train trials": ("mc_rtt", column(f"{TRIALS}/split", none_for(b"train")), "split is 'train', only: none, val"),
    "no val trials": ("mc_rtt", column(f"{TRIALS}/split", none_for(b"val")), "split is 'val', only: none, train"),
    "a trial past the end": ("mc_rtt", column(f"{TRIALS}/start_time", at(-1, 20.0)), r"rows 31 of .* split 'none'"),
    "a trial half observed": (
        "mc_rtt",
        column("units/obs_intervals", lambda spans: spans + [[0, 0], [0.7, 0]] * (len(spans) // 2)),
        r"trials in rows .* split 'none'",
    ),
    "a trial without time": (
        "mc_maze_small",
        column(f"{TRIALS}/move_onset_time", at(3, np.nan)),
        r"rows 3 of .* a time is missing",
    ),
    "a trial that runs into the next": (
        "mc_maze_small",
        column(f"{TRIALS}/move_onset_time", lambda times: at(2, times[2] + 0.8)(times)),
        r"rows 2 of .* reach into the next trial",
    ),
    "a trial without an answer": ("dmfc_rsg", column(f"{TRIALS}/tp", at(1, np.nan)), r"rows 1 of .* a time is missing"),
    "too many spikes": ("mc_rtt", crowded, "a bin holds 30[0-9] spikes"),
    "a spike past the end": ("mc_rtt", column("units/spike_times", at(0, 1e3)), "unit [0-9]+ has a spike at 1000 s, "),
}
SPOILED_TEST_FILES = {
    "cut off": (cut_off, "my-test-set.nwb is not a whole NWB file"),
    "no flags": (without("units/heldout"), "not a test file of mc_rtt: no unit column 'heldout'"),
    "other units": (column("units/heldout", at(1, True)), "has 5 held-in units, but the training file has 6"),
    "no test trials": (column(f"{TRIALS}/split", none_for(b"test")), "split is 'test', only: none"),
    "a trial past the end": (column(f"{TRIALS}/start_time", at(-1, 5.8)), r"my-test-set.* rows 7 of"),
}


def assert_refused(layout: str, data: Path, cache: Path, message: str) -> None:
    with pytest.raises(DataError, match=f"(?s){message}") as raised:
        open_recording(layout, data, 5, cache)
    assert len(str(raised.value).splitlines()) <= 2
    assert [path for path in cache.iterdir() if path.is_dir()] == []


@pytest.mark.parametrize("name", SPOILED_TRAINING_FILES)
def test_a_bad_training_file_is_refused_with_its_fault(mine, tmp_path, name):
    layout, spoil, message = SPOILED_TRAINING_FILES[name]
    spoil(mine(layout))
    assert_refused(layout, tmp_path, tmp_path / "cache", message)


@pytest.mark.parametrize("name", SPOILED_TEST_FILES)
def test_a_bad_test_file_is_refused_with_its_fault(mine, tmp_path, name):
    spoil, message = SPOILED_TEST_FILES[name]
    spoil(mine("mc_rtt").with_name("my-test-set.nwb"))
    assert_refused("mc_rtt", tmp_path, tmp_path / "cache", message)


@pytest.mark.parametrize(
    ("wanted", "given"), [("mc_rtt", "area2_bump"), ("mc_maze", "mc_rtt"), ("area2_bump", "dmfc_rsg")]
)
def test_a_recording_of_another_layout_is_recognised(written, tmp_path, wanted, given):
    shutil.copytree(written / given, tmp_path / wanted)
    lacking = "move_onset_time|finger_vel"
    assert_refused(wanted, tmp_path, tmp_path / "cache", f"({lacking}).*looks like a recording of {given}")
