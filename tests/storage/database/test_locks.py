"""Waiting for a lock that another process holds ends with an error."""

from pathlib import Path

import pytest

import nlb_search.storage.database.locks
from nlb_search.storage.checkpoints import default_artifacts
from nlb_search.storage.database.failures import is_transient
from nlb_search.storage.database.locks import exclusive
from nlb_search.storage.database.urls import parse_url


def test_waiting_for_locked_file_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nlb_search.storage.database.locks, "WAIT_SECONDS", 0.1)
    url = parse_url(f"sqlite:///{tmp_path}/studies.db")
    with exclusive(url, "one"):
        with pytest.raises(TimeoutError, match=r"studies\.db\.lock") as error, exclusive(url, "other"):
            pytest.fail("two hold the lock at once")
        assert is_transient(error.value), "a worker waits on"
    with exclusive(url, "other"):
        pass


def test_linked_file_has_the_same_lock_and_checkpoints(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nlb_search.storage.database.locks, "WAIT_SECONDS", 0.1)
    (tmp_path / "studies.db").touch()
    (tmp_path / "link.db").symlink_to("studies.db")
    url, link = (parse_url(f"sqlite:///{tmp_path}/{name}.db") for name in ("studies", "link"))
    with exclusive(url, "one"), pytest.raises(TimeoutError), exclusive(link, "one"):
        pytest.fail("two hold the lock at once")
    assert default_artifacts(link) == default_artifacts(url)
