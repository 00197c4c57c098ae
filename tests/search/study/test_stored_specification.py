"""Studies of earlier versions of the package are continued and exported, unless a definition has changed."""

import json
from importlib.metadata import version
from pathlib import Path

import optuna
import pytest
from optuna.distributions import json_to_distribution

import nlb_search.search.study.definition_versions
from nlb_search.data.opening import open_recording
from nlb_search.models.architecture import architectures
from nlb_search.models.architecture.named_chains import AUTO_CHAINS_SINCE
from nlb_search.search.study.open_study import Locations, open_named_study
from nlb_search.storage.checkpoints import Checkpoint, load_checkpoint, save_checkpoint
from nlb_search.storage.database.opening import open_database
from nlb_search.storage.database.urls import parse_url
from nlb_search.storage.studies import SPEC_KEY
from tests.helpers.processes.command import Outcome, call

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


def test_network_of_version_0_4_0_has_its_score(recordings: Path, tmp_path: Path) -> None:
    """A trial and its network as version 0.4.0 stored them, for the recording of these tests."""
    old = json.loads(STORED.with_name("study_0_4_0.json").read_text())
    stored = {name: old["specification"][name] for name in ("architectures", "space_name", "space", "epochs")}
    locations = _create_as_0_4_0(recordings, tmp_path, **stored)
    distributions = {
        name: json_to_distribution(json.dumps(one["distribution"])) for name, one in old["parameters"].items()
    }
    trial = optuna.trial.create_trial(
        params={name: distributions[name].to_external_repr(one["value"]) for name, one in old["parameters"].items()},
        distributions=distributions,
        value=old["value"],
        user_attrs=old["attributes"],
    )
    study = open_named_study(locations, "old")
    study.study.add_trial(trial)
    network = load_checkpoint(STORED.with_name("network_0_4_0.safetensors"))
    # The files of these tests have the same spikes every time, but not the same bytes.
    facts = network.metadata | {"content_hash": study.spec.content_hash}
    save_checkpoint(study.checkpoints.best(0), Checkpoint(network.tensors, facts))
    exported = _export("val", recordings, tmp_path)
    assert exported.code == 0, exported.err
    scores = call("evaluate", "val.h5", "--dataset", "mc_rtt", "--data", recordings, "--json", cwd=tmp_path).json
    assert scores["mc_rtt"]["co-bps"] == pytest.approx(old["value"], abs=1e-5)


def test_study_of_an_unknown_earlier_version_is_not_continued(recordings: Path, tmp_path: Path) -> None:
    versions = json.loads(STORED.read_text())["versions"] | {"nlb-search": "0.3.0"}
    _create_as_0_4_0(recordings, tmp_path, versions=versions)
    rejected = _call("worker", recordings=recordings, folder=tmp_path)
    assert rejected.code == 1
    assert "the study was created with nlb-search 0.3.0, but " in rejected.err
    assert "install 0.3.0" in rejected.err


@pytest.mark.parametrize(
    ("raised", "possible"),
    [
        ("TRAINING_VERSION", {"val"}),
        ("NETWORK_VERSION", set()),
    ],
)
def test_raised_number_rejects_what_it_changes(
    raised: str, possible: set[str], recordings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = ("--dataset", "mc_rtt", "--arch", "FF -> exp", "--trials", "1", "--epochs", "2", "--pruner", "none")
    where = ("--artifacts", tmp_path / "artifacts")
    launched = call("launch", "old", *options, *where, "--data", recordings, "--workers", "0", cwd=tmp_path)
    assert launched.code == 0, launched.err
    assert _call("worker", recordings=recordings, folder=tmp_path).code == 0
    monkeypatch.setattr(nlb_search.search.study.definition_versions, raised, 2)
    rejected = _call("worker", recordings=recordings, folder=tmp_path)
    assert rejected.code == 1
    assert "has a different definition of " in rejected.err
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


def test_study_of_auto_keeps_its_chains(recordings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cluster repeats the command that created a study, also after an upgrade."""
    options = ("--dataset", "mc_rtt", "--trials", "2", "--data", recordings, "--workers", "0")
    assert call("launch", "study", "--arch", "auto", *options, cwd=tmp_path).code == 0
    changed = AUTO_CHAINS_SINCE | {"99.0.0": ("FF -> exp", "GRU(2) -> FF -> exp")}
    monkeypatch.setattr(architectures, "AUTO_CHAINS_SINCE", changed)
    joined = call("launch", "study", "--arch", "auto", *options, cwd=tmp_path)
    assert joined.code == 0, joined.err
    for others in ("rnnf", *changed["99.0.0"]), ("auto", "FF -> exp"):
        rejected = call("launch", "study", *(f"--arch={other}" for other in others), *options, cwd=tmp_path)
        assert rejected.code == 1
        assert "was created with --arch 'GRU(2) -> FF -> exp' and " in rejected.err


def test_auto_still_knows_the_chains_of_its_first_version() -> None:
    """Studies of 0.7.0 have these."""
    chains = "GRU(2) -> FF -> exp", "LRU(2) -> FF -> exp", "GRU(2) -> FF -> RoFormer(1) -> FF -> exp"
    assert chains in [tuple(map(str, named)) for named in architectures.architectures_ever_named(["auto"])]
