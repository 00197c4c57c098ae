"""``nlb-search fetch`` from a local server that implements DANDI's API."""

import json
import shutil
import sys
from pathlib import Path

import pytest

from nlb_search.data.dandi.provenance import origin
from nlb_search.data.opening import open_recording
from tests.helpers.processes.command import Outcome, call
from tests.helpers.servers.dandi_server import DandiServer, sha256

TRAIN, TEST = "sub-Indy/my-train-set.nwb", "sub-Indy/my-test-set.nwb"


def fetch(cwd: Path, *arguments: str) -> Outcome:
    return call("fetch", *(arguments or ["mc_rtt"]), "--data", "data", cwd=cwd)


@pytest.mark.usefixtures("dandi")
def test_fetched_dataset_equals_archive(recordings: Path, tmp_path: Path):
    outcome = fetch(tmp_path)
    assert outcome.code == 0, outcome.err
    assert "2 files in data/000129" in outcome.out
    assert "DANDI:000129, version 0.1" in outcome.out
    fetched = open_recording("mc_rtt", tmp_path / "data")
    assert fetched.content_hash == open_recording("mc_rtt", recordings).content_hash
    assert fetched.test is not None
    names = {path.relative_to(tmp_path / "data/000129").as_posix() for path in (tmp_path / "data").rglob("*.*")}
    assert names == {TRAIN, TEST, "fetched.json"}, "and nothing is left of the way"


@pytest.mark.usefixtures("dandi")
def test_fetch_several_datasets_uses_newest_version_or_draft(tmp_path: Path):
    outcome = fetch(tmp_path, "mc_rtt", "mc_maze_small")
    assert outcome.code == 0, outcome.err
    assert "DANDI:000140, version draft" in outcome.out
    for dataset in ("mc_rtt", "mc_maze_small"):
        assert open_recording(dataset, tmp_path / "data").name == dataset


def test_existing_files_and_record_are_kept(dandi: DandiServer, tmp_path: Path):
    fetch(tmp_path)
    sent = dandi.sent
    assert sent == sum(path.stat().st_size for path in (tmp_path / "data").rglob("*.nwb"))
    record = (tmp_path / "data/000129/fetched.json").read_text()
    assert fetch(tmp_path).code == 0
    assert dandi.sent == sent
    assert (tmp_path / "data/000129/fetched.json").read_text() == record

    (tmp_path / "data/000129" / TEST).unlink()
    assert fetch(tmp_path).code == 0
    assert dandi.sent == sent + (tmp_path / "data/000129" / TEST).stat().st_size


def test_files_downloaded_by_other_means_are_kept_and_recorded(dandi: DandiServer, recordings: Path, tmp_path: Path):
    shutil.copytree(recordings / "mc_rtt", tmp_path / "data/000129/sub-Indy")
    assert fetch(tmp_path).code == 0
    assert dandi.sent == 0
    assert origin("mc_rtt", tmp_path / "data", open_recording("mc_rtt", tmp_path / "data").content_hash)


def test_record_lists_files_and_version(dandi: DandiServer, tmp_path: Path):
    fetch(tmp_path)
    record = json.loads((tmp_path / "data/000129/fetched.json").read_bytes())
    assert (record["archive"], record["dandiset"], record["version"]) == (dandi.url, "000129", "0.1")
    _, assets = dandi.dandisets["000129"]
    for path in (TRAIN, TEST):
        file = record["files"][path]
        assert (file["size"], file["sha256"]) == (len(assets[path]), sha256(assets[path]))
        assert dandi.asset(file["asset_id"]) == (path, assets[path])


@pytest.mark.usefixtures("dandi")
def test_modified_file_is_neither_overwritten_nor_recorded(tmp_path: Path):
    fetch(tmp_path)
    changed = tmp_path / "data/000129" / TRAIN
    with changed.open("ab") as file:
        file.write(b"a note")
    before = changed.read_bytes()
    outcome = fetch(tmp_path)
    assert outcome.code == 1
    assert f"{TRAIN} is not the file of version 0.1 of DANDI:000129, and has changed since" in outcome.err
    assert "move it away" in outcome.err
    assert changed.read_bytes() == before
    assert origin("mc_rtt", tmp_path / "data", open_recording("mc_rtt", tmp_path / "data").content_hash) == {}


def test_newer_version_does_not_replace_existing_files(dandi: DandiServer, tmp_path: Path):
    fetch(tmp_path)
    held = (tmp_path / "data/000129" / TEST).read_bytes()
    dandi.replace("000129", "0.2", TEST, b"another")
    outcome = fetch(tmp_path)
    assert outcome.code == 1
    assert "is from version 0.1 of DANDI:000129, but the newest version is 0.2" in outcome.err
    assert (tmp_path / "data/000129" / TEST).read_bytes() == held


def test_conflicting_files_are_reported_before_fetching(dandi: DandiServer, recordings: Path, tmp_path: Path):
    shutil.copytree(recordings / "mc_rtt", tmp_path / "data/mc_rtt")
    outcome = fetch(tmp_path)
    assert outcome.code == 1
    assert "data/mc_rtt has NWB files, which would be used instead of DANDI's" in outcome.err
    assert dandi.sent == 0


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["mc_rt"], 2, "unknown dataset 'mc_rt': choose one of mc_maze, mc_rtt"),
        (["mc_rtt", "mc_rt"], 2, "unknown dataset 'mc_rt'"),
        (["area2_bump"], 1, "has no DANDI:000127"),
        (["mc_rtt", "--dandi-url", "nowhere"], 1, "nowhere is not a valid URL"),
        ([""], 2, "unknown dataset ''"),
    ],
)
@pytest.mark.usefixtures("dandi")
def test_failed_fetch_leaves_no_files(arguments: list[str], code: int, says: str, tmp_path: Path):
    outcome = fetch(tmp_path, *arguments)
    assert outcome.code == code
    assert says in outcome.err.splitlines()[-1]
    assert list(tmp_path.iterdir()) == []


def test_fetch_without_dataset_lists_choices(tmp_path: Path):
    outcome = call("fetch", cwd=tmp_path)
    assert outcome.code == 2
    assert "nothing to fetch: pass one of mc_maze, mc_rtt" in outcome.err


def test_paths_outside_the_folder_are_rejected(dandi: DandiServer, tmp_path: Path):
    dandi.replace("000129", "0.1", "../../train.nwb", b"evil")
    outcome = fetch(tmp_path)
    assert outcome.code == 1
    assert "'../../train.nwb' in DANDI:000129 leads outside the folder" in outcome.err
    assert list(tmp_path.iterdir()) == []


def test_server_that_is_not_dandi_is_rejected(dandi: DandiServer, tmp_path: Path):
    outcome = fetch(tmp_path, "mc_rtt", "--dandi-url", f"{dandi.address}/pages")
    assert outcome.code == 1
    assert "/pages does not respond like DANDI's API" in outcome.err.splitlines()[-1]
    assert list(tmp_path.iterdir()) == []


def test_missing_client_error_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delitem(sys.modules, "nlb_search.data.dandi.archive", raising=False)
    monkeypatch.setitem(sys.modules, "dandi.consts", None)
    outcome = fetch(tmp_path)
    assert outcome.code == 1
    assert outcome.err.endswith("which is not installed: `pip install 'nlb-search[fetch]'`\n")
