"""Arrays as other programs write them: MATLAB's structs, cells and sparse matrices, other axes, and unknown values."""

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from scipy.io import savemat
from scipy.sparse import csc_matrix

from nlb_search.data import from_arrays
from nlb_search.data.errors import DataError
from nlb_search.data.own.recording_settings import RecordingSettings
from nlb_search.data.own.source import OwnRecording
from nlb_search.data.source import Tensors
from tests.helpers.recordings.toy_arrays import Arrays, toy_arrays

CONDITIONS = "eval_cond_idx"
ARRAYS = toy_arrays()
SPIKES = {name: values for name, values in ARRAYS.items() if "_spikes_" in name}


def tensors(path: Path) -> Tensors:
    return OwnRecording("mine", path, 20, RecordingSettings()).make()


def rejection(path: Path) -> str:
    with pytest.raises(DataError) as raised:
        tensors(path)
    return str(raised.value)


def assert_holds(made: Tensors) -> None:
    for part in ("heldin", "heldout", "heldin_forward"):
        np.testing.assert_array_equal(getattr(made.splits["train"], part), SPIKES[f"train_spikes_{part}"])


def hdf5(path: Path, arrays: Arrays) -> Path:
    with h5py.File(path, "w") as file:
        for name, values in arrays.items():
            file[name] = values
    return path


def mat_73(path: Path, build: Callable[[h5py.File], None], arrays: Arrays, struct: str = "") -> Path:
    """A file as MATLAB writes it with -v7.3: axes reversed, and a header before HDF5's own."""
    with h5py.File(path, "w", userblock_size=512) as file:
        for name, values in arrays.items():
            file[struct + name] = values.T
        build(file)
    with path.open("r+b") as raw:
        raw.write(b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(124) + b"\x00\x02IM")
    return path


def nothing(_: h5py.File) -> None:
    pass


def cells_with_an_empty_one(file: h5py.File) -> None:
    """MATLAB writes the lengths of an empty array in place of its values."""
    file["#refs#/a"], file["#refs#/b"] = np.array([[0.0], [5.0]]), np.array([0, 0], dtype="u8")
    file["#refs#/b"].attrs["MATLAB_empty"] = np.uint8(1)
    file.create_dataset(CONDITIONS, data=[[file["#refs#/a"].ref], [file["#refs#/b"].ref]], dtype=h5py.ref_dtype)


def cell_of_structs(file: h5py.File) -> None:
    file.create_group("#refs#/c")
    file.create_dataset("notes", data=[[file["#refs#/c"].ref]], dtype=h5py.ref_dtype)


def sparse(file: h5py.File) -> None:
    del file["train_spikes_heldin"]
    file["train_spikes_heldin/data"] = [1.0]
    file["train_spikes_heldin"].attrs["MATLAB_sparse"] = np.uint64(3)


@pytest.mark.parametrize("kind", [">i2", ">f8", "f2", "u8", "i1"])
def test_counts_of_any_type_are_read(kind: str, tmp_path: Path) -> None:
    assert_holds(tensors(hdf5(tmp_path / "x.h5", {name: values.astype(kind) for name, values in SPIKES.items()})))


def test_fields_of_one_struct_are_read(tmp_path: Path) -> None:
    savemat(tmp_path / "v5.mat", {"session": SPIKES, "settings": {"bin": 20}})
    assert_holds(tensors(tmp_path / "v5.mat"))
    assert_holds(tensors(mat_73(tmp_path / "v73.mat", nothing, SPIKES, "session/")))
    savemat(tmp_path / "two.mat", {"monday": SPIKES, "tuesday": SPIKES})
    assert "has several recordings, in the structs monday, tuesday" in rejection(tmp_path / "two.mat")


def test_cells_of_trials_are_stacked(tmp_path: Path) -> None:
    cell = np.empty(40, dtype=object)
    for trial, spikes in enumerate(SPIKES["train_spikes_heldin"]):
        cell[trial] = spikes
    savemat(tmp_path / "x.mat", SPIKES | {"train_spikes_heldin": cell, "names": np.array(["a", "bc"], dtype=object)})
    made = tensors(tmp_path / "x.mat")
    assert_holds(made)
    assert made.choices == ("ignored: names",)
    cell[3] = cell[3][:20]
    savemat(tmp_path / "y.mat", SPIKES | {"train_spikes_heldin": cell})
    assert "is a cell of matrices of 2 sizes, such as (20, 9) and (24, 9)" in rejection(tmp_path / "y.mat")


def test_empty_cells_have_no_trials(tmp_path: Path) -> None:
    arrays = SPIKES | {"psth": ARRAYS["psth"]}
    made = tensors(mat_73(tmp_path / "x.mat", cells_with_an_empty_one, arrays))
    assert [members.tolist() for members in made.targets[CONDITIONS]] == [[0, 5], []]


def test_other_variables_of_matlab_are_ignored(tmp_path: Path) -> None:
    assert_holds(tensors(mat_73(tmp_path / "x.mat", cell_of_structs, SPIKES)))


def test_arrays_that_are_not_full_are_rejected(tmp_path: Path) -> None:
    """A sparse mask is optional, but would be left out in silence."""
    both = {name: ARRAYS[name] for name in ("train_behavior", "eval_behavior")}
    masks = {"train_decode_mask": csc_matrix(np.ones((40, 1))), "eval_decode_mask": csc_matrix(np.ones((16, 1)))}
    savemat(tmp_path / "v5.mat", SPIKES | both | masks)
    assert "train_decode_mask is a sparse matrix, or not an array: store it as a full array" in rejection(
        tmp_path / "v5.mat"
    )
    said = rejection(mat_73(tmp_path / "v73.mat", sparse, SPIKES))
    assert "train_spikes_heldin is a sparse matrix, or not an array" in said


@pytest.mark.parametrize("name", ["x.h5", "x.mat"])
def test_arrays_in_other_files_are_rejected(name: str, tmp_path: Path) -> None:
    hdf5(tmp_path / "other.h5", SPIKES)

    def link(file: h5py.File) -> None:
        del file["train_spikes_heldin"]
        file["train_spikes_heldin"] = h5py.ExternalLink("other.h5", "/train_spikes_heldin")

    path = tmp_path / name
    if path.suffix == ".mat":
        mat_73(path, link, SPIKES)
    else:
        with h5py.File(hdf5(path, SPIKES), "a") as file:
            link(file)
    assert "train_spikes_heldin is a link to the file other.h5" in rejection(path)


def with_value(value: float, kind: str) -> Arrays:
    changed = SPIKES["train_spikes_heldin"].astype(kind)
    changed[3, 4, 5] = value
    return SPIKES | {"train_spikes_heldin": changed}


@pytest.mark.parametrize(
    ("arrays", "says"),
    [
        (
            with_value(np.nan, "f8"),
            "has nan in trial 3, bin 4, neuron 5, but counts must be integers from 0 to 254: tr",
        ),
        (
            with_value(-1, "i1"),
            "has -1 in trial 3, bin 4, neuron 5, but counts must be integers from 0 to 254: were",
        ),
        (with_value(2**40, "u8"), "has 1.09951e+12 in trial 3, bin 4, neuron 5"),
        ({name: values.T for name, values in SPIKES.items()}, "look like neurons x bins x trials, as MATLAB writes to"),
        (
            {
                f"{a}_{b}_data": np.ones((12, 24, n))
                for a, n in (("train", 20), ("valid", 5))
                for b in ("encod", "recon")
            },
            "the shapes of encod (12, 24, 20) in train and (12, 24, 5) in val, recon ",
        ),
        (
            SPIKES | {"psth": ARRAYS["psth"], CONDITIONS: np.arange(1, 17).reshape(2, 8)},
            "has trial 16, but val has trials 0 to 15, are they counted from 1?",
        ),
    ],
)
def test_odd_values_and_axes_are_named(arrays: Arrays, says: str, tmp_path: Path) -> None:
    assert says in rejection(hdf5(tmp_path / "x.h5", arrays))


def test_trials_x_neurons_x_bins_are_doubted(tmp_path: Path) -> None:
    """Their shapes are possible: only the rates tell. Neurons have rates of their own."""
    rng = np.random.default_rng(0)
    spikes = rng.poisson(rng.gamma(1.0, 0.5, (40, 1, 12)) * np.ones((40, 24, 12)) * rng.gamma(1.0, 1.0, 12))
    parts = {"train": spikes[:30], "valid": spikes[30:]}
    right = {f"{name}_{part}_data": values for name, values in parts.items() for part in ("encod", "recon")}
    swapped = {name: values.swapaxes(1, 2) for name, values in right.items()}
    doubts = [
        "bins differ much more in their rates than neurons do" in " ".join(tensors(path).choices)
        for path in (hdf5(tmp_path / "right.h5", right), hdf5(tmp_path / "swapped.h5", swapped))
    ]
    assert doubts == [False, True]


def test_archives_and_old_files_are_named(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.xlsx", "w") as archive:
        archive.writestr("xl/workbook.xml", "<a/>")
    assert "is a ZIP archive of other files (xl/workbook.xml): unpack it" in rejection(tmp_path / "x.xlsx")
    savemat(tmp_path / "v4.mat", {"a": np.eye(3)}, format="4")
    assert "is not a MATLAB file of v5 to v7.3: write it again" in rejection(tmp_path / "v4.mat")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda spikes: np.ma.masked_greater(spikes, 2), "train_spikes_heldin is masked in places"),
        (lambda spikes: spikes.astype(object), "train_spikes_heldin has the type object"),
        (lambda spikes: csc_matrix(spikes[0]), "train_spikes_heldin has the shape ()"),
    ],
)
def test_python_arrays_that_are_not_plain_are_rejected(change: Callable[[Any], Any], says: str, tmp_path: Path) -> None:
    with pytest.raises(DataError) as raised:
        from_arrays(tmp_path / "x.h5", SPIKES | {"train_spikes_heldin": change(SPIKES["train_spikes_heldin"])})
    assert says in str(raised.value)
    assert not (tmp_path / "x.h5").exists()
