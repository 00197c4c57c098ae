"""Files in the format of lfads-torch."""

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from nlb_search.data.errors import DataError
from nlb_search.data.own.recording_settings import RecordingSettings
from nlb_search.data.recording import Recording
from tests.helpers.processes.in_process import open_in_process
from tests.helpers.recordings.toy_arrays import Arrays, toy_arrays


def lfads_arrays(n_read: int, n_read_bins: int) -> Arrays:
    """The toy recording in lfads-torch's format: ``n_read`` channels and ``n_read_bins`` bins are encoded."""
    toy = toy_arrays()
    arrays = {}
    for prefix, name in (("train", "train"), ("valid", "eval")):
        parts = {
            f"{kind}{ending}": toy[f"{name}_spikes_{kind}{ending}"]
            for kind in ("heldin", "heldout")
            for ending in ("", "_forward")
        }
        recon = np.block([[parts["heldin"], parts["heldout"]], [parts["heldin_forward"], parts["heldout_forward"]]])
        arrays[f"{prefix}_recon_data"] = recon
        arrays[f"{prefix}_encod_data"] = recon[:, :n_read_bins, :n_read]
    return arrays


def opened(arrays: Arrays, folder: Path, settings: RecordingSettings | None = None) -> Recording:
    with h5py.File(folder / "lfads.h5", "w") as file:
        for name, values in arrays.items():
            file[name] = values.astype(float)
    return open_in_process("mine", folder / "lfads.h5", 5, folder / "cache", settings)


def test_recon_data_defines_held_out_neurons_and_forward_bins(tmp_path: Path) -> None:
    recording = opened(lfads_arrays(n_read=9, n_read_bins=24), tmp_path)
    assert (recording.n_heldin, recording.n_heldout, recording.n_window_bins, recording.n_forward_bins) == (9, 3, 24, 6)
    assert recording.choices == ()
    toy = toy_arrays()
    np.testing.assert_array_equal(recording.train.heldout, toy["train_spikes_heldout"])
    np.testing.assert_array_equal(recording.val.heldin_forward, toy["eval_spikes_heldin_forward"])


@pytest.mark.parametrize(("settings", "n_heldout"), [(None, 3), (RecordingSettings(heldout=0.5), 6)])
def test_fraction_of_neurons_is_held_out_when_all_are_encoded(
    settings: RecordingSettings | None, n_heldout: int, tmp_path: Path
) -> None:
    arrays = lfads_arrays(n_read=12, n_read_bins=30)
    recording = opened(arrays, tmp_path, settings)
    assert recording.choices == ("no forward bins", f"held out a random {n_heldout} of the 12 neurons")
    assert (recording.n_heldin, recording.n_heldout, recording.n_forward_bins) == (12 - n_heldout, n_heldout, 0)
    # Every neuron occurs once, and the same neurons are held out of train and val.
    for split, name in ((recording.train, "train"), (recording.val, "valid")):
        order = [
            next(n for n in range(12) if np.array_equal(split.counts[..., k], arrays[f"{name}_recon_data"][..., n]))
            for k in range(12)
        ]
        assert sorted(order) == list(range(12))
        assert order[: 12 - n_heldout] == sorted(order[: 12 - n_heldout])
    again = opened(arrays, tmp_path, settings)
    assert again.content_hash == recording.content_hash


def test_settings_change_the_content_hash(tmp_path: Path) -> None:
    arrays = lfads_arrays(n_read=12, n_read_bins=30)
    first, second = opened(arrays, tmp_path), opened(arrays, tmp_path, RecordingSettings(heldout=0.5))
    assert first.content_hash != second.content_hash


def shifted(arrays: Arrays) -> None:
    arrays["valid_encod_data"] = np.roll(arrays["valid_encod_data"], 1, axis=0)


def one_neuron(arrays: Arrays) -> None:
    for name in arrays:
        arrays[name] = arrays[name][..., :1]


def fewer_channels(arrays: Arrays) -> None:
    arrays["valid_recon_data"] = arrays["valid_recon_data"][..., :-1]


def smoothed(arrays: Arrays) -> None:
    arrays["train_recon_data"] = arrays["train_recon_data"] * 0.5


@pytest.mark.parametrize(
    ("change", "settings", "says"),
    [
        (shifted, None, "does not start with the bins and channels of valid_encod_data (16, 24, 12)"),
        (one_neuron, None, "has 1 neuron, but at least 2 are needed"),
        (fewer_channels, None, "recon has (30, 12) bins and channels in train, but (30, 11) in valid"),
        (smoothed, None, "train_recon_data has 0.5 in trial"),
        (lambda arrays: arrays.pop("valid_recon_data"), None, "lacks valid_recon_data"),
        (lambda _: None, RecordingSettings(heldout="area"), "is not an NWB file and has no unit column 'area'"),
        (lambda _: None, RecordingSettings(align="go_cue"), "the setting align does not apply to"),
    ],
)
def test_invalid_arrays_are_rejected(
    change: Callable[[Arrays], object], settings: RecordingSettings | None, says: str, tmp_path: Path
) -> None:
    arrays = lfads_arrays(n_read=12, n_read_bins=24)
    change(arrays)
    with pytest.raises(DataError) as raised:
        opened(arrays, tmp_path, settings)
    assert says in str(raised.value)


def test_heldout_setting_is_rejected_when_recon_data_defines_it(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"the setting heldout does not apply to .*: its recon arrays determine"):
        opened(lfads_arrays(n_read=9, n_read_bins=24), tmp_path, RecordingSettings(heldout=0.5))


@pytest.mark.parametrize(("n_read", "n_read_bins"), [(9, 24), (12, 30)])
def test_test_trials_have_the_neurons_of_train(n_read: int, n_read_bins: int, tmp_path: Path) -> None:
    arrays = lfads_arrays(n_read, n_read_bins)
    for part in ("encod", "recon"):
        arrays[f"test_{part}_data"] = arrays[f"valid_{part}_data"][-5:]
        arrays[f"valid_{part}_data"] = arrays[f"valid_{part}_data"][:-5]
    with_recon = opened(arrays, tmp_path)
    assert with_recon.test is not None
    assert with_recon.test_targets is not None
    with h5py.File(with_recon.test_targets) as file:
        heldout = file["mine/eval_spikes_heldout"][()]
    # A permutation of the channels: each is found once among held-in and held-out ones.
    window = np.concatenate([with_recon.test.heldin, heldout], axis=2)
    channels = arrays["test_recon_data"][:, :n_read_bins]
    np.testing.assert_array_equal(np.sort(window.sum(axis=(0, 1))), np.sort(channels.sum(axis=(0, 1))))
    del arrays["test_recon_data"]
    (tmp_path / "without").mkdir()
    without_recon = opened(arrays, tmp_path / "without")
    assert without_recon.test is not None
    np.testing.assert_array_equal(without_recon.test.heldin, with_recon.test.heldin)
    # If every channel is read, the held-out ones among them are known without recon.
    assert (without_recon.test_targets is not None) == (n_read == 12)
