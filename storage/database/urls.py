"""Storage URLs: a SQLite file or a private server for one machine, a database server for several."""

import os
import re
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy
from sqlalchemy.exc import ArgumentError, NoSuchModuleError

from nlb_search.storage.errors import StorageError

_DRIVERS = {
    "postgres": ("postgresql+psycopg",),
    "postgresql": ("postgresql+psycopg",),
    "mysql": ("mysql+pymysql", "mysql+mysqldb"),
    "mariadb": ("mysql+pymysql", "mysql+mysqldb"),
}
"""Drivers to try, in this order, for a URL without a driver."""

SERVER_DATA = "postgresql"
"""Subfolder for the data and the socket of a private server."""

SERVER_SOCKET = ".s.PGSQL.5432"
_LONGEST_SOCKET_PATH = 103
"""Length in bytes of a socket path that every system accepts."""

ARTIFACTS = "artifacts"
USERS_LOCK = "users.lock"
_FIRST_MADE = {ARTIFACTS, "turn.lock"}
"""Files that may exist in a private server's folder before ``users.lock``, which marks it as one of nlb-search."""

_PRIVATE = "postgres-local:"
_SECRET_KEY = re.compile("passw", re.IGNORECASE)
"""Matches the query parameters that hold a password: password, passwd, sslpassword, ssl_key_password."""

_FORMS = "sqlite:///FILE.db, postgres-local:DIR, postgresql://USER@HOST/DATABASE or mysql://USER@HOST/DATABASE"


@dataclass(frozen=True)
class StorageUrl:
    """A validated storage URL. Its string form hides the password."""

    _url: sqlalchemy.URL
    private_server: Path | None = None
    """Folder of a private PostgreSQL server, or None for every other storage."""

    @property
    def backend(self) -> str:
        """The database: sqlite, postgresql or mysql."""
        return self._url.get_backend_name()

    @property
    def sqlite_file(self) -> Path | None:
        """The database file, or None for a server. A link is followed: a lock and checkpoints lie beside the file."""
        if self.backend != "sqlite":
            return None
        file = Path(self._url.database or "")
        return file.resolve() if file.is_symlink() else file

    @property
    def on_disk(self) -> Path | None:
        """The path on this machine that exists once the storage was created; None for a server managed elsewhere."""
        return self.sqlite_file if self.private_server is None else self.private_server / SERVER_DATA

    @property
    def sqlalchemy_url(self) -> sqlalchemy.URL:
        return self._url

    @property
    def with_password(self) -> str:
        """The complete URL, for the environment of a worker: never for a log, an error or a command line."""
        return self._private_form or self._url.render_as_string(hide_password=False)

    @property
    def for_optuna(self) -> str:
        """The URL for Optuna, with doubled braces because Optuna passes it to ``str.format``."""
        return self._url.render_as_string(hide_password=False).replace("{", "{{").replace("}", "}}")

    @property
    def _private_form(self) -> str | None:
        return None if self.private_server is None else f"{_PRIVATE}{self.private_server}"

    def __str__(self) -> str:
        hidden = {key: "***" for key in self._url.query if _SECRET_KEY.search(key)}
        return self._private_form or self._url.update_query_dict(hidden).render_as_string(hide_password=True)

    __repr__ = __str__


def parse_url(text: str) -> StorageUrl:
    """Parse and validate a storage URL without opening or starting anything.

    Raises StorageError if it is not a valid URL, or if the database is not supported or its driver not installed.
    """
    if text.startswith(_PRIVATE):
        return _private(text.removeprefix(_PRIVATE))
    try:
        url = sqlalchemy.make_url(text)
    except (ArgumentError, ValueError) as error:
        # The text may hold a password, so the message does not show it.
        raise StorageError(
            f"the storage URL is not valid: write {_FORMS}, with @ : / # % in a password percent-encoded"
        ) from error
    if url.get_backend_name() != "sqlite" and text.partition("?")[0].count("@") > 1:
        raise StorageError("the storage URL has more than one @: in the password, write @ as %40 and / as %2F")
    url = _with_driver(url)
    if url.get_backend_name() == "sqlite":
        return StorageUrl(_sqlite(url))
    if url.get_backend_name() not in ("postgresql", "mysql"):
        raise StorageError(f"the database '{url.get_backend_name()}' is not supported: use {_FORMS}")
    return StorageUrl(url)


def _with_driver(url: sqlalchemy.URL) -> sqlalchemy.URL:
    """The URL with an installed driver."""
    if url.drivername.startswith("mariadb+"):
        url = url.set(drivername=url.drivername.replace("mariadb", "mysql", 1))  # the only name that Optuna knows
    for drivername in _DRIVERS.get(url.drivername, (url.drivername,)):
        named = url.set(drivername=drivername)
        try:
            named.get_dialect().import_dbapi()
        except (NoSuchModuleError, ImportError):
            continue
        return named
    hint = "`pip install pymysql`, or " if url.drivername in ("mysql", "mysql+pymysql") else ""
    raise StorageError(f"no driver for '{url.drivername}' of the storage URL is installed: {hint}use {_FORMS}")


def _sqlite(url: sqlalchemy.URL) -> sqlalchemy.URL:
    """The URL with an absolute path, so that a worker started in another directory opens the same file."""
    if url.database in (None, "", ":memory:"):
        raise StorageError("workers cannot share an in-memory SQLite database: name a file, sqlite:///FILE.db")
    file = Path(str(url.database)).absolute()
    if not file.parent.is_dir():
        raise StorageError(f"the folder of the storage {file} does not exist: create {file.parent} or use another file")
    return url.set(database=str(file))


def _private(folder: str) -> StorageUrl:
    """The database of the private server in ``folder``. The socket is in its data folder.

    Raises StorageError if the folder holds other files or its path is too long.
    """
    if not folder:
        raise StorageError("the storage URL postgres-local: has no folder: write postgres-local:DIR")
    place = Path(folder).expanduser().resolve()
    if len(os.fsencode(place / SERVER_DATA / SERVER_SOCKET)) > _LONGEST_SOCKET_PATH:
        raise StorageError(f"the path {place} is too long for a server socket: choose a shorter one")
    there = {path.name for path in place.iterdir()} if place.exists() else set()
    if USERS_LOCK not in there and not there <= _FIRST_MADE:
        raise StorageError(f"{place} holds other files: choose a new or empty folder for postgres-local:")
    socket = {"host": str(place / SERVER_DATA)}
    url = sqlalchemy.URL.create("postgresql+psycopg", username="postgres", database="postgres", query=socket)
    return StorageUrl(url, place)
