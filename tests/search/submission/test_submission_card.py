"""The card beside a submission, and both phases in one call."""

import json
import shlex
import shutil
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from nlb_search.search.ensembles.trial_selection import Selection
from nlb_search.search.study.open_study import Locations, OpenStudy, open_named_study
from nlb_search.search.submission.rebuild_command import rebuild_command
from nlb_search.storage.database.urls import parse_url
from tests.helpers.processes.command import call, search
from tests.helpers.recordings.own_nwb import OwnSession


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a study of a recording with test trials, and an ensemble exported for both phases."""
    folder = tmp_path_factory.mktemp("cards")
    session = OwnSession(n_trials=48)
    session.columns["part"] = [("train", "train", "val", "test")[row % 4] for row in range(48)]
    session.write(folder / "session.nwb")
    (folder / "session.toml").write_text('split = "part"\n')
    search(
        *("study", "--dataset", "rat-7", "--recording", "session.toml", "--bin-size", "20", "--arch", "FF -> exp"),
        *("--trials", "3", "--epochs", "4", "--sampler", "random", "--pruner", "none"),
        data=folder / "session.nwb",
        cwd=folder,
    )
    arguments = ("--ensemble", "auto", "--phase", "both", "--seeds", "2", "--out", "sub.h5", "--model", "model")
    exported = call("export-best", "study", *arguments, "--workers", "1", cwd=folder)
    assert exported.code == 0, exported.err
    return folder


def _rates(file: Path) -> dict[str, bytes]:
    with h5py.File(file) as opened:
        return {name: opened[f"rat-7_20/{name}"][()].tobytes() for name in opened["rat-7_20"] if "_rates_" in name}


def _card(folder: Path, phase: str) -> Any:
    return json.loads((folder / f"sub.{phase}.h5.card.json").read_text())


def test_each_phase_has_its_file(folder: Path) -> None:
    assert not (folder / "sub.h5").exists()
    for phase, row in (("val", 2), ("test", 3)):
        with h5py.File(folder / f"sub.{phase}.h5") as file:
            assert file["rat-7_20"].attrs["phase"] == phase
            assert file["rat-7_20/eval_trials"][()].tolist() == list(range(row, 48, 4))
        scored = call("evaluate", f"sub.{phase}.h5", "--dataset", "rat-7", "--data", "session.nwb", cwd=folder)
        assert scored.code == 0, scored.err


@pytest.mark.parametrize("phase", ["val", "test"])
def test_the_command_of_the_card_gives_the_same_bytes(folder: Path, tmp_path: Path, phase: str) -> None:
    before = _rates(folder / f"sub.{phase}.h5")
    program, *command = _card(folder, phase)["command"]
    assert program == "nlb-search"
    (folder / f"sub.{phase}.h5").unlink()
    rebuilt = call(*command, cwd=tmp_path)
    assert rebuilt.code == 0, rebuilt.err
    assert len(before) == 8
    assert _rates(folder / f"sub.{phase}.h5") == before


def test_the_card_says_what_the_file_is(folder: Path) -> None:
    for phase, trained_on, seeds in (("val", "train", 1), ("test", "train + val", 2)):
        card = _card(folder, phase)
        [model] = card["datasets"]
        assert card["phase"] == phase
        assert (model["trained_on"], model["seeds"]) == (trained_on, seeds)
        with h5py.File(folder / f"sub.{phase}.h5") as file:
            group = file["rat-7_20"]
            assert ", ".join(str(member["trial"]) for member in model["members"]) == group.attrs["trials"]
            assert model["content_hash"] == group.attrs["content_hash"]
            assert model["heldout_units"] == group["heldout_units"][()].tolist()
        assert sum(member["weight"] for member in model["members"]) == pytest.approx(1)
        page = (folder / f"sub.{phase}.h5.card.md").read_text()
        assert shlex.join(card["command"]) in page
        assert f"| co-bps on val | {model['co_bps']:.4f} (95% bootstrap interval" in page
        assert f"| {model['members'][0]['trial']} | {model['members'][0]['weight']:.4g} |" in page
    scored = call("evaluate", "sub.val.h5", "--dataset", "rat-7", "--data", "session.nwb", "--json", cwd=folder).json
    assert _card(folder, "val")["datasets"][0]["co_bps"] == pytest.approx(scored["rat-7_20"]["co-bps"], abs=1e-4)


def test_evaluate_adds_its_scores_to_the_card(folder: Path) -> None:
    for phase in ("val", "test"):
        arguments = ("evaluate", f"sub.{phase}.h5", "--dataset", "rat-7", "--data", "session.nwb", "--json")
        scores = call(*arguments, cwd=folder).json["rat-7_20"]
        assert _card(folder, phase)["scores"]["rat-7_20"] == scores
        assert (
            f"| scores on {phase} | co-bps {scores['co-bps']:.4f}" in (folder / f"sub.{phase}.h5.card.md").read_text()
        )


def test_a_card_of_another_version_stays_as_it_is(
    folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("sub.val.h5", "session.nwb"):
        shutil.copy(folder / name, tmp_path / name)
    (tmp_path / "sub.val.h5.card.json").write_text('{"phase": "val", "another": 1}')
    scored = call("evaluate", "sub.val.h5", "--dataset", "rat-7", "--data", "session.nwb", cwd=tmp_path)
    assert scored.code == 0
    assert "the scores are not added to sub.val.h5.card.json, which another version of nlb-search wrote" in caplog.text
    assert (tmp_path / "sub.val.h5.card.json").read_text() == '{"phase": "val", "another": 1}'


def test_the_card_has_the_scores_of_rescore(folder: Path) -> None:
    assert "co-bps of `rescore`" not in (folder / "sub.val.h5.card.md").read_text()
    rescored = call(
        "rescore", "study", "--finalists", "1", "--splits", "2", "--workers", "1", "--json", cwd=folder
    ).json
    exported = call("export-best", "study", "--ensemble", "2", "--out", "rescored.h5", cwd=folder)
    assert exported.code == 0, exported.err
    card = json.loads((folder / "rescored.h5.card.json").read_text())
    known = {member["trial"]: member["rescored"] for member in card["datasets"][0]["members"]}
    [finalist] = rescored["finalists"]
    assert known.pop(finalist["number"]) == pytest.approx(finalist["mean"])
    assert list(known.values()) == [None]
    assert f"| {finalist['mean']:.4f} |" in (folder / "rescored.h5.card.md").read_text()


def test_the_model_of_both_phases_is_that_of_test(folder: Path) -> None:
    described = json.loads((folder / "model" / "model.json").read_text())
    assert described["card"]["trained_on"] == "train + val"
    assert described["command"][:6] == [
        "nlb-search",
        "export-best",
        "study",
        "--model",
        str(folder / "model"),
        "--phase",
    ]
    predicted = call("predict", "model", "--data", "session.nwb", "--out", "rates.h5", cwd=folder)
    assert predicted.code == 0, predicted.err
    with h5py.File(folder / "rates.h5") as ours, h5py.File(folder / "sub.test.h5") as submission:
        heldout = ours["test/rates"][:, :, len(ours["heldin_units"]) :]
        group = submission["rat-7_20"]
        expected = [group[f"eval_rates_heldout{ending}"][()] for ending in ("", "_forward")]
        np.testing.assert_array_equal(heldout, np.concatenate(expected, axis=1))


def test_a_command_names_trial_or_chains_and_no_password(folder: Path) -> None:
    study = open_named_study(Locations(parse_url(f"sqlite:///{folder}/nlb-search.db"), folder, folder), "study")
    url = parse_url("postgresql://lab:secret@host/nlb")
    away = OpenStudy(Locations(url, folder, folder), study.study, study.spec, study.identity)
    chosen = Selection(2, ("FF -> exp", "GRU(2) -> FF -> exp"), "splits")
    command = rebuild_command([away], ("--out", folder / "x.h5"), phase="val", selection=chosen, seeds=1)
    assert "secret" not in " ".join(command)
    assert shlex.join(command).count("--arch 'FF -> exp' --arch 'GRU(2) -> FF -> exp' --by splits") == 1
    one = rebuild_command([away], ("--out", folder / "x.h5"), phase="test", selection=Selection(trial=7), seeds=3)
    assert "--trial 7 --seeds 3" in " ".join(one)
    assert "--ensemble" not in one
