"""A SQLite file opened for reading, by a user without write permission."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from nlb_search.storage.database.opening import open_database
from nlb_search.storage.database.urls import StorageUrl, parse_url
from nlb_search.storage.studies import make_study

READER = """
import os, sys
from nlb_search.storage.database.opening import open_database, open_for_reading
from nlb_search.storage.database.urls import parse_url
url, another = map(parse_url, sys.argv[1:])
open_database(another), open_for_reading(another)  # import all modules before changing the user
os.setgroups([]), os.setgid(65534), os.setuid(65534)
database = open_for_reading(url)
for _ in sys.stdin:
    print(sorted(study.study_name for study in database.get_all_studies()), flush=True)
"""


@pytest.fixture
def url() -> Iterator[StorageUrl]:
    # Not in pytest's temporary folder, which other users cannot access.
    with tempfile.TemporaryDirectory(prefix="nlb-search-") as folder:
        Path(folder).chmod(0o755)
        yield parse_url(f"sqlite:///{folder}/100%25 # {{studies}}.db")


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only root can become another user")
def test_another_user_can_read_with_and_without_worker(url: StorageUrl, tmp_path: Path) -> None:
    file = url.sqlite_file
    assert file is not None
    database = open_database(url)
    make_study(url, database, "first", {}, starts=[])
    database.remove_session()
    database._backend.engine.dispose()  # type: ignore[attr-defined]
    assert not file.with_name(f"{file.name}-wal").exists(), "the last to leave puts the log away"
    command = [sys.executable, "-c", READER, url.with_password, f"sqlite:///{tmp_path}/another.db"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as reader:
        assert reader.stdin is not None
        assert reader.stdout is not None

        def seen() -> str:
            print("look", file=reader.stdin, flush=True)
            return reader.stdout.readline().strip()

        assert seen() == "['first']"
        worker = open_database(url)
        make_study(url, worker, "second", {}, starts=[])
        assert seen() == "['first', 'second']"
        reader.stdin.close()
        assert reader.wait(timeout=120) == 0
