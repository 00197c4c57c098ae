"""One model from several studies of the same recording."""

import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from nlb_search import load_model
from nlb_search.data.opening import open_recording
from nlb_search.data.own.recording_settings import RecordingSettings
from nlb_search.search.recording_tensors import heldin_of
from tests.helpers.processes.command import call, search
from tests.helpers.recordings.own_nwb import OwnSession

GROUP = "rat-7_20"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with studies of one recording: ``a`` and ``b``, one in other bins, and one with other held-out units."""
    folder = tmp_path_factory.mktemp("several")
    OwnSession(n_trials=40).write(folder / "session.nwb")
    studies = {
        "a": ("--arch", "FF -> exp", "--bin-size", "20"),
        "b": ("--arch", "GRU(1) -> FF -> exp", "--seed", "1", "--bin-size", "20"),
        "fine": ("--arch", "FF -> exp", "--bin-size", "10"),
        "other": ("--arch", "FF -> exp", "--bin-size", "20", "--heldout", "1,2,3"),
    }
    for name, options in studies.items():
        search(
            *(name, "--dataset", "rat-7", *options),
            *("--trials", "2", "--epochs", "2", "--sampler", "random", "--pruner", "none"),
            data=folder / "session.nwb",
            cwd=folder,
        )
    return folder


def _export(folder: Path, *arguments: str) -> None:
    exported = call("export-best", *arguments, cwd=folder)
    assert exported.code == 0, exported.err


def _heldout(folder: Path, file: str, group: str = GROUP) -> np.ndarray:
    with h5py.File(folder / file) as opened:
        rates: np.ndarray = opened[f"{group}/eval_rates_heldout"][()]
    return rates


def _files(folder: Path) -> set[Path]:
    """The files in the folder. Those beside the database come and go with its connections."""
    return {path for path in folder.iterdir() if not path.name.startswith("nlb-search.db-")}


def _members(folder: Path, file: str) -> list[dict[str, Any]]:
    members: list[dict[str, Any]] = json.loads((folder / f"{file}.card.json").read_text())["datasets"][0]["members"]
    return members


def test_the_best_trials_of_both_studies_are_averaged(folder: Path) -> None:
    _export(folder, "a", "b", "--ensemble", "3", "--out", "three.h5")
    found = [
        (trial["value"], name, trial["number"])
        for name in ("a", "b")
        for trial in (call("status", name, "--json", cwd=folder).json["best"],)
    ]
    members = _members(folder, "three.h5")
    assert {member["study"] for member in members} == {"a", "b"}
    assert (members[0]["study"], members[0]["trial"]) == max(found)[1:]
    alone = []
    for member in members:
        _export(folder, member["study"], "--trial", str(member["trial"]), "--out", "one.h5")
        alone.append(_heldout(folder, "one.h5"))
    np.testing.assert_allclose(_heldout(folder, "three.h5"), np.mean(alone, axis=0), rtol=1e-5)
    with h5py.File(folder / "three.h5") as file:
        attributes = dict(file[GROUP].attrs)
    assert attributes["study"] == "a, b"
    assert attributes["trials"] == ", ".join(f"{member['study']} {member['trial']}" for member in members)


def test_an_ensemble_of_both_studies_is_kept_rebuilt_and_used(folder: Path, tmp_path: Path) -> None:
    _export(folder, "a", "b", "--ensemble", "auto", "--phase", "val", "--out", "auto.h5", "--model", "model")
    before = _heldout(folder, "auto.h5")
    recording = open_recording("rat-7", folder / "session.nwb", 20, settings=RecordingSettings())
    model = load_model(folder / "model")
    n_window, n_heldin = recording.n_window_bins, recording.n_heldin
    np.testing.assert_array_equal(model(heldin_of(recording.val).numpy())[:, :n_window, n_heldin:], before)
    best = max(call("status", name, "--json", cwd=folder).json["best"]["value"] for name in ("a", "b"))
    assert model.card.co_bps >= best - 1e-6
    members = _members(folder, "auto.h5")
    assert all(member["added"] >= 0 for member in members if len(members) == 1 or member["weight"] > 0.3)
    command = json.loads((folder / "auto.h5.card.json").read_text())["command"]
    (folder / "auto.h5").unlink()
    rebuilt = call(*command[1:], cwd=tmp_path)
    assert rebuilt.code == 0, rebuilt.err
    assert _heldout(folder, "auto.h5").tobytes() == before.tobytes()


def test_members_of_both_studies_are_trained_again(folder: Path) -> None:
    _export(
        folder, "a", "b", "--ensemble", "4", "--phase", "test", "--seeds", "1", "--workers", "1", "--model", "again"
    )
    card = load_model(folder / "again").card
    assert sorted((member.study, member.trial) for member in card.members) == [("a", 0), ("a", 1), ("b", 0), ("b", 1)]


def test_each_bin_width_is_a_group(folder: Path) -> None:
    _export(folder, "a", "fine", "b", "--out", "widths.h5")
    with h5py.File(folder / "widths.h5") as file:
        assert set(file) == {"rat-7_20", "rat-7_10"}
        assert file["rat-7_10"].attrs["study"] == "fine"
        assert file["rat-7_20"].attrs["study"] == "a, b"
    scores = call("evaluate", "widths.h5", "--dataset", "rat-7", "--data", "session.nwb", "--json", cwd=folder).json
    assert set(scores) == {"rat-7_20", "rat-7_10"}


def test_chains_are_those_of_any_of_the_studies(folder: Path) -> None:
    _export(folder, "a", "b", "--arch", "GRU(1) -> FF -> exp", "--arch", "FF -> exp", "--out", "chains.h5")
    assert [member["study"] for member in _members(folder, "chains.h5")] == ["b", "a"]


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("a", "other"), 1, "'a' and 'other' are both on rat-7_20, but on different recordings (heldout is 0.25 and"),
        (("a", "b", "a"), 2, "the study 'a' is given twice"),
        (("a", "b", "--trial", "0"), 2, "--trial needs exactly one study, but 2 are given"),
        (
            ("a", "b", "--ensemble", "5"),
            1,
            "the studies 'a' and 'b' have 4 complete trials, fewer than the 5 requested",
        ),
        (("a", "b", "--arch", "LRU(1) -> FF -> exp"), 1, "the studies 'a' and 'b' do not search 'LRU(1) -> FF -> exp'"),
        (
            ("a", "fine", "--model", "new"),
            2,
            "a model belongs to one recording in one bin width, but the studies are on",
        ),
        (("a", "b", "--by", "splits"), 1, "has not been rescored"),
    ],
)
def test_studies_that_do_not_go_together_are_rejected(
    folder: Path, arguments: tuple[str, ...], code: int, says: str
) -> None:
    before = _files(folder)
    rejected = call("export-best", *arguments, "--out", "none.h5", cwd=folder)
    assert rejected.code == code
    assert says in " ".join(rejected.err.split())
    assert _files(folder) == before
