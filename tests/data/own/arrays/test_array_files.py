"""Arrays in NumPy's and MATLAB's files give the same recording as in HDF5."""

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from scipy.io import savemat

from nlb_search.data import from_arrays
from nlb_search.data.errors import DataError
from nlb_search.data.inspection.identities import identities_of
from nlb_search.data.own.arrays.nlb_arrays import CONDITIONS
from nlb_search.data.own.recording_settings import RecordingSettings
from nlb_search.data.recording import Recording
from tests.helpers.processes.in_process import open_in_process
from tests.helpers.recordings.toy_arrays import toy_arrays


def matlab_arrays() -> dict[str, Any]:
    """The toy arrays as MATLAB has them: doubles, cells, and one held-out neuron, whose axis MATLAB drops."""
    arrays = {name: values for name, values in toy_arrays(20, 8).items() if name != "psth" and name != CONDITIONS}
    arrays = {name: np.asarray(values, float) for name, values in arrays.items() if "jitter" not in name}
    arrays = {name: values[..., :1] if "heldout" in name else values for name, values in arrays.items()}
    n_bins, n_neurons = arrays["train_spikes_heldin"].shape[1], arrays["train_spikes_heldin"].shape[2] + 1
    arrays["psth"] = np.random.default_rng(0).random((2, n_bins, n_neurons))
    arrays[CONDITIONS] = [np.array([0, 2, 4]), np.array([1, 3])]
    return arrays


def cells(trials: list[Any]) -> Any:
    cell = np.empty((1, len(trials)), dtype=object)
    for index, some in enumerate(trials):
        cell[0, index] = np.asarray(some, float)[None]
    return cell


def write_mat_73(path: Path, arrays: dict[str, Any]) -> Path:
    """Write arrays as MATLAB does with -v7.3: axes reversed, cells as references, and a header before HDF5's own."""
    with h5py.File(path, "w", userblock_size=512) as file:
        for name, values in arrays.items():
            if name == CONDITIONS:
                items = [
                    file.create_dataset(f"#refs#/{n}", data=np.asarray(v, float)[:, None]) for n, v in enumerate(values)
                ]
                file.create_dataset(name, data=[[item.ref] for item in items], dtype=h5py.ref_dtype)
            else:
                file[name] = np.squeeze(values, -1).T if values.shape[-1] == 1 else values.T
    with path.open("r+b") as raw:
        raw.write(b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(124) + b"\x00\x02IM")
    return path


def content(recording: Recording) -> dict[str, Any]:
    with h5py.File(recording.val_targets) as targets:
        [group] = targets.values()
        scored = {name: [np.asarray(row).tolist() for row in values[()]] for name, values in group.items()}
    return {"train": recording.train.counts.tolist(), "val": recording.val.counts.tolist(), **scored}


def test_matlab_files_of_both_versions(tmp_path: Path) -> None:
    arrays = matlab_arrays()
    expected = content(from_arrays(tmp_path / "hdf5.h5", arrays, cache=tmp_path / "cache"))
    squeezed = {
        name: np.squeeze(v, -1) if np.shape(v)[-1] == 1 else v for name, v in arrays.items() if name != CONDITIONS
    }
    savemat(tmp_path / "v5.mat", squeezed | {CONDITIONS: cells(arrays[CONDITIONS])})
    write_mat_73(tmp_path / "v73.mat", arrays)
    for name in ("v5", "v73"):
        path = tmp_path / f"{name}.mat"
        recording = open_in_process("mine", path, 5, tmp_path / "cache")
        assert recording.n_heldout == 1
        assert content(recording) == expected
        assert identities_of(recording, path, RecordingSettings()).heldout == (0,)


def test_npz_file(tmp_path: Path) -> None:
    arrays = {name: values for name, values in toy_arrays(20, 8).items() if name != CONDITIONS and name != "psth"}
    arrays = {name: values for name, values in arrays.items() if "jitter" not in name}
    expected = content(from_arrays(tmp_path / "hdf5.h5", arrays, cache=tmp_path / "cache"))
    np.savez_compressed(tmp_path / "arrays.npz", **arrays)
    assert content(open_in_process("mine", tmp_path / "arrays.npz", 5, tmp_path / "cache")) == expected


def test_lfads_arrays_in_npz_file(tmp_path: Path) -> None:
    spikes = np.random.default_rng(0).poisson(1.0, (30, 20, 12))
    split = {
        f"{p}_{part}_data": s
        for p, s in (("train", spikes[:20]), ("valid", spikes[20:]))
        for part in ("encod", "recon")
    }
    np.savez(tmp_path / "lfads.npz", **split)
    settings = RecordingSettings(heldout=(3, 5))
    recording = open_in_process("mine", tmp_path / "lfads.npz", 10, tmp_path / "cache", settings)
    np.testing.assert_array_equal(recording.val.heldout, spikes[20:, :, [3, 5]])
    assert identities_of(recording, tmp_path / "lfads.npz", settings).heldout == (3, 5)


def test_files_that_are_not_recordings_are_rejected(tmp_path: Path) -> None:
    np.savez(tmp_path / "other.npz", rates=np.zeros((2, 3)))
    np.savez(tmp_path / "objects.npz", eval_cond_idx=np.array([[1], [2, 3]], dtype=object))
    whole = tmp_path / "whole.npz"
    np.savez(whole, **toy_arrays(20, 8))
    (tmp_path / "cut.npz").write_bytes(whole.read_bytes()[:3000])
    savemat(tmp_path / "other.mat", {"spikes": np.zeros((2, 3))})
    for name, says in (
        ("other.npz", "is not a recording (it has rates): give an NWB file"),
        ("objects.npz", "eval_cond_idx is an array of Python objects, which only pickle can read"),
        ("cut.npz", "cut.npz is a damaged ZIP archive"),
        ("other.mat", "is not a recording (it has spikes)"),
    ):
        with pytest.raises(DataError) as raised:
            open_in_process("mine", tmp_path / name, 5, tmp_path / "cache")
        assert says in str(raised.value)
