"""Files of arrays with the names that nlb_tools uses."""

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from nlb_search.data.errors import DataError
from nlb_search.data.opening import open_recording
from nlb_search.data.recording import Split
from tests.helpers.processes.in_process import open_in_process
from tests.helpers.recordings.toy_arrays import Arrays, toy_arrays

Change = Callable[[Arrays], None]


def write(path: Path, arrays: Arrays, group: str = "/") -> Path:
    with h5py.File(path, "w") as file:
        for name, values in arrays.items():
            dtype = h5py.vlen_dtype(int) if values.dtype == object else values.dtype
            file.create_dataset(f"{group}/{name}", data=values, dtype=dtype)
    return path


def assert_holds(split: Split, arrays: Arrays, prefix: str) -> None:
    for part in ("heldin", "heldout", "heldin_forward", "heldout_forward"):
        np.testing.assert_array_equal(getattr(split, part), arrays[f"{prefix}_spikes_{part}"])


@pytest.mark.parametrize("group", ["/", "session"])
@pytest.mark.parametrize("dtype", ["float64", "int64", "uint8"])
def test_counts_equal_those_in_the_file(group: str, dtype: str, tmp_path: Path) -> None:
    arrays = toy_arrays()
    spikes = {name: values.astype(dtype) for name, values in arrays.items() if "_spikes_" in name}
    recording = open_in_process("mine", write(tmp_path / "x.bin", arrays | spikes, group), 7, tmp_path / "cache")
    assert_holds(recording.train, arrays, "train")
    assert_holds(recording.val, arrays, "eval")
    both = np.concatenate([recording.train.counts, recording.val.counts])
    np.testing.assert_array_equal(recording.train_val.counts, both)
    assert recording.test is None
    assert (recording.group, recording.choices) == ("mine_7", ())
    with h5py.File(recording.val_targets) as file:
        targets = file["mine_7"]
        for name in ("eval_spikes_heldout", "eval_spikes_heldin_forward", "train_behavior", "eval_behavior", "psth"):
            np.testing.assert_array_equal(targets[name], arrays[name])
        for members, expected in zip(targets["eval_cond_idx"], arrays["eval_cond_idx"], strict=True):
            np.testing.assert_array_equal(members, expected)


def test_only_the_four_spike_arrays_are_required(tmp_path: Path) -> None:
    arrays = toy_arrays()
    needed = {name: arrays[name] for name in arrays if "spikes" in name and "forward" not in name}
    recording = open_recording("mine", write(tmp_path / "x.h5", needed | {"notes": np.zeros(3)}), 5, tmp_path / "cache")
    assert recording.n_forward_bins == 0
    assert recording.choices == ("ignored: notes", "no forward bins")
    with h5py.File(recording.val_targets) as file:
        assert set(file["mine"]) == {"eval_spikes_heldout"}


def without(*names: str) -> Change:
    return lambda arrays: [arrays.pop(name) for name in names] and None


def entry(name: str, value: float) -> Change:
    def change(arrays: Arrays) -> None:
        arrays[name] = arrays[name].astype(float)
        arrays[name][(2, 3, 1)[: arrays[name].ndim]] = value

    return change


def cut(name: str, *axes: int) -> Change:
    def change(arrays: Arrays) -> None:
        for axis in axes:
            arrays[name] = np.delete(arrays[name], -1, axis)

    return change


def half_known(name: str) -> Change:
    def change(arrays: Arrays) -> None:
        arrays[name][1, 3, 0] = np.nan

    return change


def put(name: str, value: object) -> Change:
    def change(arrays: Arrays) -> None:
        arrays[name] = np.asarray(value)

    return change


def same_trial(arrays: Arrays) -> None:
    for name in arrays:
        if name.startswith("train_spikes"):
            arrays[name.replace("train", "eval")][3] = arrays[name][9]


def ragged(arrays: Arrays) -> None:
    values = np.empty(2, dtype=object)
    values[0], values[1] = np.zeros(3), np.zeros(4)
    arrays["train_spikes_heldin"] = values


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (without("eval_spikes_heldout"), "lacks eval_spikes_heldout: these arrays are required"),
        (without("eval_spikes_heldin_forward"), "lacks eval_spikes_heldin_forward: give all or none"),
        (without("train_behavior"), "lacks train_behavior: give all or none"),
        (without("psth"), "lacks psth: give all or none"),
        (entry("train_spikes_heldin", np.nan), "train_spikes_heldin has nan in trial 2, bin 3, neuron 1, but counts"),
        (entry("eval_spikes_heldout", -1), "eval_spikes_heldout has -1 in trial 2, bin 3, neuron 1"),
        (entry("eval_spikes_heldout", 0.5), "eval_spikes_heldout has 0.5 in trial 2"),
        (entry("eval_spikes_heldin_forward", 255), "eval_spikes_heldin_forward has 255 in trial 2"),
        (entry("train_behavior", np.inf), "train_behavior is not finite"),
        (put("eval_behavior", np.full((16, 24, 2), np.nan)), "eval_behavior is NaN in all bins: leave it out"),
        (half_known("eval_behavior"), "eval_behavior is not finite: a bin may be NaN only in all dimensions"),
        (half_known("psth"), "psth is not finite: a bin may be NaN only in all neurons"),
        (
            put("eval_jitter", [0] * 5 + [3] + [0] * 10),
            "the window of val trial 5 is delayed by 3 bins (eval_jitter) and",
        ),
        (put("eval_jitter", [0] * 5 + [-3] + [0] * 10), "the window of val trial 5 is delayed by -3 bins"),
        (put("eval_cond_idx", [[0.5], [1]]), "eval_cond_idx must list the trial numbers of each condition"),
        (
            put("train_spikes_heldin", np.zeros((40, 24))),
            "has the shape (40, 24), but it must be trials x bins x neurons",
        ),
        (put("train_spikes_heldin", np.zeros((40, 0, 9))), "has the shape (40, 0, 9), but it must be trials"),
        (
            cut("train_spikes_heldout", 0),
            "train_spikes_heldout has the shape (39, 24, 3), but the other arrays require (40, 24, 3)",
        ),
        (
            cut("eval_spikes_heldout", 1),
            "eval_spikes_heldout has the shape (16, 23, 3), but the other arrays require (16, 24, 3)",
        ),
        (cut("train_spikes_heldin_forward", 2), "has the shape (40, 6, 8), but the other arrays require (40, 6, 9)"),
        (
            cut("train_behavior", 1),
            "train_behavior has the shape (40, 23, 2), but the spikes require (40, 24) x dimensions",
        ),
        (cut("eval_behavior", 2), "train_behavior has 2 columns, but eval_behavior has 1"),
        (cut("psth", 2), "psth has the shape (2, 24, 11), but eval_cond_idx and the spikes require (2, 24, 12)"),
        (put("eval_cond_idx", [[0], [16]]), "eval_cond_idx has trial 16, but val has trials 0 to 15"),
        (put("eval_jitter", [0.5] * 16), "eval_jitter must be an integer number of bins"),
        (put("train_decode_mask", np.ones((40, 1))), "lacks eval_decode_mask"),
        (lambda arrays: arrays["eval_spikes_heldout"].fill(0), "the heldout counts of val have no spikes"),
        (same_trial, "trial 3 of val equals trial 9 of train"),
        (ragged, "train_spikes_heldin is ragged, but all trials must have the same number of bins"),
    ],
)
def test_invalid_arrays_are_rejected(change: Change, says: str, tmp_path: Path) -> None:
    arrays = toy_arrays()
    change(arrays)
    path = write(tmp_path / "x.h5", arrays)
    with pytest.raises(DataError) as raised:
        open_in_process("mine", path, 5, tmp_path / "cache")
    assert says in str(raised.value)
    assert str(path) in str(raised.value)
    assert len(str(raised.value).splitlines()) == 1
    assert not [path for path in (tmp_path / "cache").iterdir() if path.is_dir()]


def test_train_and_val_from_different_recordings_are_rejected(tmp_path: Path) -> None:
    other = toy_arrays(n_neurons=16)
    arrays = toy_arrays() | {name: other[name] for name in other if name.startswith("eval_spikes")}
    with pytest.raises(DataError, match=r"train has 24 \+ 6 bins and 9 \+ 3 neurons, but val has 24 \+ 6 bins and"):
        open_recording("mine", write(tmp_path / "x.h5", arrays), 5, tmp_path / "cache")


def with_test_trials(n_test: int = 6) -> Arrays:
    """The toy arrays with the last val trials as test trials, and without trial averages."""
    arrays = {name: values for name, values in toy_arrays().items() if name not in ("psth", "eval_cond_idx")}
    test = {name.replace("eval", "test"): values[-n_test:] for name, values in arrays.items() if "eval" in name}
    return {name: values[:-n_test] if "eval" in name else values for name, values in arrays.items()} | test


def test_test_trials_are_read_and_their_targets_kept_apart(tmp_path: Path) -> None:
    arrays = with_test_trials()
    recording = open_recording("mine", write(tmp_path / "x.h5", arrays), 5, tmp_path / "cache")
    assert recording.test is not None
    assert recording.test_targets is not None
    assert not recording.test.has_targets
    np.testing.assert_array_equal(recording.test.heldin, arrays["test_spikes_heldin"])
    with h5py.File(recording.test_targets) as file:
        targets = file["mine"]
        for part in ("heldout", "heldin_forward", "heldout_forward"):
            np.testing.assert_array_equal(targets[f"eval_spikes_{part}"], arrays[f"test_spikes_{part}"])
        np.testing.assert_array_equal(targets["eval_behavior"], arrays["test_behavior"])
        both = np.concatenate([arrays["train_behavior"], arrays["eval_behavior"]])
        np.testing.assert_array_equal(targets["train_behavior"], both)


def test_test_trials_without_targets_can_be_predicted(tmp_path: Path) -> None:
    arrays = with_test_trials()
    known = {name: values for name, values in arrays.items() if "test" not in name or name == "test_spikes_heldin"}
    recording = open_recording("mine", write(tmp_path / "x.h5", known), 5, tmp_path / "cache")
    assert recording.test is not None
    assert recording.test_targets is None


def remove_forward(arrays: Arrays) -> None:
    del arrays["test_spikes_heldin_forward"]


def remove_heldin(arrays: Arrays) -> None:
    del arrays["test_spikes_heldin"]


def copy_a_train_trial(arrays: Arrays) -> None:
    arrays["test_spikes_heldin"][2] = arrays["train_spikes_heldin"][5]


def drop_a_neuron(arrays: Arrays) -> None:
    for name in ("test_spikes_heldin", "test_spikes_heldin_forward"):
        arrays[name] = arrays[name][:, :, 1:]


def add_a_dimension(arrays: Arrays) -> None:
    arrays["test_behavior"] = np.concatenate([arrays["test_behavior"]] * 2, axis=2)


def remove_train_behavior(arrays: Arrays) -> None:
    del arrays["train_behavior"], arrays["eval_behavior"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (remove_forward, "lacks test_spikes_heldin_forward: add it, or give test_spikes_heldin alone"),
        (remove_heldin, "lacks test_spikes_heldin"),
        (copy_a_train_trial, "trial 2 of test equals trial 5 of train and val"),
        (drop_a_neuron, r"train has 24 \+ 6 bins and 9 \+ 3 neurons, but test has 24 \+ 6 bins and 8 \+ 3"),
        (add_a_dimension, "test_behavior has 4 columns, but eval_behavior has 2"),
        (remove_train_behavior, "has no such array for train, but has test_behavior"),
    ],
)
def test_test_trials_that_do_not_match_are_rejected(change: Change, message: str, tmp_path: Path) -> None:
    arrays = with_test_trials()
    change(arrays)
    with pytest.raises(DataError, match=message):
        open_recording("mine", write(tmp_path / "x.h5", arrays), 5, tmp_path / "cache")
