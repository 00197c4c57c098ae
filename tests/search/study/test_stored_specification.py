"""Studies of earlier versions of the package are continued and exported, unless a definition has changed."""

import json
from importlib.metadata import version
from pathlib import Path

import optuna
import pytest
from command import Outcome, call

import nlb_search.search.study.definition_versions
from nlb_search.data.opening import open_recording
from nlb_search.search.study.open_study import Locations, open_named_study
from nlb_search.storage.database.opening import open_database
from nlb_search.storage.database.urls import parse_url
from nlb_search.storage.studies import SPEC_KEY

STORED = Path(__file__).with_name("specification_0_4_0.json")


def _create_as_0_4_0(recordings: Path, folder: Path, **changed: object) -> Locations:
    """Create a study as version 0.4.0 did, without an identity."""
    spec = json.loads(STORED.read_text())
    content_hash = open_recording("mc_rtt", recordings, 5).content_hash
    versions = spec["versions"] | {"optuna": version("optuna")}
    locations = Locations(parse_url(f"sqlite:///{folder}/nlb-search.db"), folder / "artifacts", recordings)
    study = optuna.create_study(study_name="old", storage=open_database(locations.url), direction="maximize")
    study.set_user_attr(SPEC_KEY, json.dumps(spec | {"content_hash": content_hash, "versions": versions} | changed))
    return locations


def _call(command: str, *options: str, recordings: Path, folder: Path) -> Outcome:
    return call(command, "old", *options, "--data", recordings, "--artifacts", folder / "artifacts", cwd=folder)


def _export(phase: str, recordings: Path, folder: Path) -> Outcome:
    options = ("--out", f"{phase}.h5", "--phase", phase, "--workers", "1")
    return _call("export-best", *options, recordings=recordings, folder=folder)


def test_study_of_version_0_4_0_is_continued_and_exported(recordings: Path, tmp_path: Path) -> None:
    locations = _create_as_0_4_0(recordings, tmp_path)
    assert _call("worker", recordings=recordings, folder=tmp_path).code == 0
    assert open_named_study(locations, "old").checkpoints.folder == tmp_path / "artifacts" / "old"
    for phase in "val", "test":
        exported = _export(phase, recordings, tmp_path)
        assert exported.code == 0, exported.err


def test_study_of_an_unknown_earlier_version_is_not_continued(recordings: Path, tmp_path: Path) -> None:
    versions = json.loads(STORED.read_text())["versions"] | {"nlb-search": "0.3.0"}
    _create_as_0_4_0(recordings, tmp_path, versions=versions)
    refused = _call("worker", recordings=recordings, folder=tmp_path)
    assert refused.code == 1
    assert "the study was created with nlb-search 0.3.0, and " in refused.err
    assert "install 0.3.0" in refused.err


@pytest.mark.parametrize(
    ("raised", "possible"),
    [
        ("TRAINING_VERSION", {"val"}),
        ("NETWORK_VERSION", set()),
    ],
)
def test_raised_number_refuses_what_it_changes(
    raised: str, possible: set[str], recordings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = ("--dataset", "mc_rtt", "--arch", "FF -> exp", "--trials", "1", "--epochs", "2", "--pruner", "none")
    where = ("--artifacts", tmp_path / "artifacts")
    launched = call("launch", "old", *options, *where, "--data", recordings, "--workers", "0", cwd=tmp_path)
    assert launched.code == 0, launched.err
    assert _call("worker", recordings=recordings, folder=tmp_path).code == 0
    monkeypatch.setattr(nlb_search.search.study.definition_versions, raised, 2)
    refused = _call("worker", recordings=recordings, folder=tmp_path)
    assert refused.code == 1
    assert "has another definition of " in refused.err
    for phase in "val", "test":
        exported = _export(phase, recordings, tmp_path)
        assert (exported.code == 0) == (phase in possible), exported.err
        assert (tmp_path / f"{phase}.h5").exists() == (phase in possible)


def test_study_that_was_sampled_differently_is_continued_with_a_warning(
    recordings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    _create_as_0_4_0(recordings, tmp_path)
    monkeypatch.setattr(nlb_search.search.study.definition_versions, "SAMPLING_VERSION", 1000)
    assert _call("worker", recordings=recordings, folder=tmp_path).code == 0
    assert "samples and prunes trials differently" in caplog.text
