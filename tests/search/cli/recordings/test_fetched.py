"""Studies and evaluations of fetched recordings."""

import shutil
from importlib.metadata import version
from pathlib import Path

import h5py
import pytest

from nlb_search.data.opening import open_recording
from nlb_search.search.creation.study_creation import StudyRequest, create_or_open
from nlb_search.search.study.open_study import Locations, open_named_study
from nlb_search.storage.database.urls import parse_url
from tests.helpers.processes.command import Outcome, call
from tests.helpers.servers.dandi_server import DandiServer, sha256


def begun(locations: Locations) -> dict[str, str]:
    """The versions that a new study of mc_rtt in this folder records."""
    create_or_open(locations, "study", StudyRequest(dataset="mc_rtt", architectures=("FF -> exp",), trials=1))
    return open_named_study(locations, "study").spec.versions


@pytest.fixture
def locations(tmp_path: Path) -> Locations:
    return Locations(parse_url(f"sqlite:///{tmp_path}/studies.db"), tmp_path / "artifacts", tmp_path / "data")


@pytest.mark.usefixtures("dandi")
def test_study_records_the_dandiset_version(locations: Locations, tmp_path: Path) -> None:
    assert call("fetch", "mc_rtt", "--data", "data", cwd=tmp_path).code == 0
    assert begun(locations)["DANDI:000129"] == "0.1"


def test_recording_not_fetched_has_no_version_beside_those_of_packages(locations: Locations, recordings: Path) -> None:
    shutil.copytree(recordings / "mc_rtt", locations.data / "mc_rtt")
    versions = begun(locations)
    assert not [name for name in versions if name.startswith("DANDI")]
    assert {name: version(name) for name in ("torch", "optuna", "nlb_tools")}.items() <= versions.items()


@pytest.mark.usefixtures("dandi")
def test_damaged_record_is_ignored(locations: Locations, tmp_path: Path) -> None:
    call("fetch", "mc_rtt", "--data", "data", cwd=tmp_path)
    (locations.data / "000129" / "fetched.json").write_text('{"version": "0.1"')
    assert not [name for name in begun(locations) if name.startswith("DANDI")]
    assert call("fetch", "mc_rtt", "--data", "data", cwd=tmp_path).code == 0
    assert '"version": "0.1"' in (locations.data / "000129" / "fetched.json").read_text()


def fetch_targets(dandi: DandiServer, cwd: Path, *datasets: str) -> Outcome:
    url = f"{dandi.address}/files/eval_data_test.h5"
    return call("fetch", *datasets, "--targets", "--targets-url", url, "--data", "data", cwd=cwd)


@pytest.fixture
def targets(dandi: DandiServer, tmp_path: Path, recordings: Path) -> bytes:
    """A file of test targets of mc_rtt on the server, which are copies of its val targets."""
    known = open_recording("mc_rtt", recordings).val_targets
    with h5py.File(tmp_path / "targets.h5", "w") as made, h5py.File(known) as file:
        file.copy("mc_rtt", made)
        made["padding"] = list(range(100_000))
    content = (tmp_path / "targets.h5").read_bytes()
    dandi.files["eval_data_test.h5"] = content
    return content


def test_targets_are_downloaded_cached_and_resumed(
    dandi: DandiServer, targets: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nlb_search.data.dandi.download.WAITS_SECONDS", ())
    dandi.faults.cut_at = [300_000]
    assert fetch_targets(dandi, tmp_path).code == 0, "what comes begins the row of failures again"
    assert (tmp_path / "data/eval_data_test.h5").read_bytes() == targets
    assert dandi.sent < len(targets) + 2**16
    sent = dandi.sent
    assert fetch_targets(dandi, tmp_path).code == 0
    assert dandi.sent == sent


@pytest.mark.parametrize(
    ("content", "datasets", "says"),
    [
        (b"version https://git-lfs.github.com/spec/v1\n", [], "it is not a complete HDF5 file"),
        (None, ["mc_maze_small"], "it has no group mc_maze_small (but mc_rtt, padding)"),
    ],
)
def test_invalid_targets_file_is_not_kept(
    content: bytes | None, datasets: list[str], says: str, dandi: DandiServer, targets: bytes, tmp_path: Path
) -> None:
    dandi.files["eval_data_test.h5"] = content or targets
    outcome = fetch_targets(dandi, tmp_path, *datasets)
    assert outcome.code == 1
    assert says in outcome.err.splitlines()[-1]
    assert not list((tmp_path / "data").glob("*.h5*"))
    assert not list((tmp_path / "data").glob(".*"))


def test_benchmark_targets_must_have_the_known_hash(
    dandi: DandiServer, targets: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nlb_search.data.dandi.public_targets.URL", f"{dandi.address}/files/eval_data_test.h5")
    outcome = call("fetch", "--targets", "--data", "data", cwd=tmp_path)
    assert outcome.code == 1
    assert "should be f2f434d30193..." in outcome.err
    monkeypatch.setattr("nlb_search.data.dandi.public_targets.SHA256", sha256(targets))
    assert call("fetch", "--targets", "--data", "data", cwd=tmp_path).code == 0


def test_existing_file_without_targets_is_kept(dandi: DandiServer, targets: bytes, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data/eval_data_test.h5").write_bytes(targets[:-1000])
    outcome = fetch_targets(dandi, tmp_path)
    assert outcome.code == 1
    assert "it was not overwritten: move it away to fetch it" in outcome.err
    assert (tmp_path / "data/eval_data_test.h5").read_bytes() == targets[:-1000]


def test_missing_targets_are_reported(dandi: DandiServer, tmp_path: Path) -> None:
    outcome = fetch_targets(dandi, tmp_path)
    assert outcome.code == 1
    [words] = outcome.err.splitlines()
    assert "/files/eval_data_test.h5 responded with 404 Not Found: check the network, or --targets-url" in words
