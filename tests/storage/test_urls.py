from pathlib import Path

import pytest

from storage.errors import StorageError
from storage.urls import parse_url


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_a_password_is_passed_on_but_never_shown(scheme: str) -> None:
    url = parse_url(f"{scheme}://lab:s%40cr{{et@db.example/studies?password=also-secret")
    assert "s%40cr" in url.with_password
    assert url.for_optuna.format() == url.with_password, "Optuna runs the URL through str.format"
    for shown in (str(url), repr(url), f"{url}"):
        assert "cr" not in shown.split("@")[0]
        assert "also-secret" not in shown
        assert "db.example" in shown


def test_a_relative_sqlite_file_is_made_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert parse_url("sqlite:///studies.db").sqlite_file == tmp_path / "studies.db"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("nonsense", "cannot be read"),
        ("postgresql://lab:a@secret/b@h/d", "more than one @"),
        ("oracle://u:secret@h/d", "no driver for it is installed"),
        ("mongodb://h/d", "no driver for it is installed"),
        ("sqlite://", "in memory cannot be shared"),
        ("sqlite:////no/such/folder/x.db", "the folder of the storage /no/such/folder/x.db does not exist"),
    ],
)
def test_what_cannot_be_opened_is_refused_in_a_line(text: str, message: str) -> None:
    with pytest.raises(StorageError, match=message) as error:
        parse_url(text)
    assert "secret" not in str(error.value)
