from pathlib import Path

import pytest

from nlb_search.storage.database.urls import parse_url
from nlb_search.storage.errors import StorageError


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_password_is_passed_on_but_not_shown(scheme: str) -> None:
    url = parse_url(f"{scheme}://lab:s%40cr{{et@db.example/studies?password=also-secret")
    assert "s%40cr" in url.with_password
    assert url.for_optuna.format() == url.with_password, "Optuna runs the URL through str.format"
    for shown in (str(url), repr(url), f"{url}"):
        assert "cr" not in shown.split("@")[0]
        assert "also-secret" not in shown
        assert "db.example" in shown


@pytest.mark.parametrize("key", ["password", "passwd", "sslpassword", "ssl_key_password", "PASSWORD"])
def test_password_in_options_is_not_shown(key: str) -> None:
    url = parse_url(f"postgresql://lab@db.example/studies?{key}=also-secret")
    assert "also-secret" not in str(url)
    assert "also-secret" in url.with_password


def test_relative_sqlite_path_is_made_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert parse_url("sqlite:///studies.db").sqlite_file == tmp_path / "studies.db"


@pytest.mark.parametrize(
    "text", ["mysql://lab:secret@h/d", "mariadb://lab:secret@h/d", "mariadb+pymysql://lab:secret@h/d"]
)
def test_mysql_names_and_installed_driver(text: str) -> None:
    pytest.importorskip("pymysql")
    url = parse_url(text)
    assert url.with_password == "mysql+pymysql://lab:secret@h/d"
    assert str(url) == "mysql+pymysql://lab:***@h/d"


def test_folder_with_other_content_is_rejected(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(StorageError, match=f"{tmp_path} holds other files"):
        parse_url(f"postgres-local:{tmp_path}")
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("nonsense", "is not valid"),
        ("postgresql://lab:a@secret/b@h/d", "more than one @"),
        ("oracle://u:secret@h/d", "no driver for 'oracle'"),
        ("mongodb://h/d", "no driver for 'mongodb'"),
        ("postgres-local:", "has no folder"),
        (f"postgres-local:/tmp/{'x' * 100}", "too long for a server socket"),
        ("sqlite://", "cannot share an in-memory SQLite database"),
        ("sqlite:////no/such/folder/x.db", "the folder of the storage /no/such/folder/x.db does not exist"),
    ],
)
def test_invalid_urls_are_rejected_in_one_line(text: str, message: str) -> None:
    with pytest.raises(StorageError, match=message) as error:
        parse_url(text)
    assert "secret" not in str(error.value)
