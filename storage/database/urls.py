"""The URL that says where studies are kept: a file or a private server for one machine, a database server for many."""

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
"""What a URL without a driver means: the first of these that is installed."""

SERVER_DATA = "postgresql"
"""The folder of a private server's data, and of its socket, in the folder that its storage names."""

SERVER_SOCKET = ".s.PGSQL.5432"
_LONGEST_SOCKET_PATH = 103
"""Bytes that every system takes as the path of a socket."""

ARTIFACTS = "artifacts"
USERS_LOCK = "users.lock"
_FIRST_MADE = {ARTIFACTS, "turn.lock"}
"""What may be in a private server's folder before the lock of its users, which marks it as ours."""

_PRIVATE = "postgres-local:"
_SECRET_KEY = re.compile("passw", re.IGNORECASE)
"""In the name of a query's key that holds a password: password, passwd, sslpassword, ssl_key_password."""

_FORMS = "sqlite:///FILE.db, postgres-local:DIR, postgresql://USER@HOST/DATABASE or mysql://USER@HOST/DATABASE"


@dataclass(frozen=True)
class StorageUrl:
    """A checked storage URL. Printing it never shows its password."""

    _url: sqlalchemy.URL
    private_server: Path | None = None
    """The folder of a PostgreSQL server that is started for this storage alone; None for every other storage."""

    @property
    def backend(self) -> str:
        """Which database it is: sqlite, postgresql or mysql."""
        return self._url.get_backend_name()

    @property
    def sqlite_file(self) -> Path | None:
        """The database file, or None for a server."""
        return Path(self._url.database or "") if self.backend == "sqlite" else None

    @property
    def on_disk(self) -> Path | None:
        """What lies on this machine's disk once the storage was made; None for a server that others look after."""
        return self.sqlite_file if self.private_server is None else self.private_server / SERVER_DATA

    @property
    def sqlalchemy_url(self) -> sqlalchemy.URL:
        return self._url

    @property
    def with_password(self) -> str:
        """The whole URL, for the environment of a worker: never for a log, an error or a command line."""
        return self._private_form or self._url.render_as_string(hide_password=False)

    @property
    def for_optuna(self) -> str:
        """As Optuna takes it: it runs the URL through ``str.format``, so braces are doubled."""
        return self._url.render_as_string(hide_password=False).replace("{", "{{").replace("}", "}}")

    @property
    def _private_form(self) -> str | None:
        return None if self.private_server is None else f"{_PRIVATE}{self.private_server}"

    def __str__(self) -> str:
        hidden = {key: "***" for key in self._url.query if _SECRET_KEY.search(key)}
        return self._private_form or self._url.update_query_dict(hidden).render_as_string(hide_password=True)

    __repr__ = __str__


def parse_url(text: str) -> StorageUrl:
    """The storage that ``text`` names; nothing is opened or started.

    Raises StorageError for what is no URL, or a database without its driver.
    """
    if text.startswith(_PRIVATE):
        return _private(text.removeprefix(_PRIVATE))
    try:
        url = sqlalchemy.make_url(text)
    except (ArgumentError, ValueError) as error:
        # The text itself may hold a password, so it is not shown.
        raise StorageError(
            f"the storage URL cannot be read: write {_FORMS}, with @ : / # % in a password percent-encoded"
        ) from error
    if url.get_backend_name() != "sqlite" and text.partition("?")[0].count("@") > 1:
        raise StorageError("the storage URL has more than one @: write those in the password as %40, and / as %2F")
    url = _with_driver(url)
    if url.get_backend_name() == "sqlite":
        return StorageUrl(_sqlite(url))
    if url.get_backend_name() not in ("postgresql", "mysql"):
        raise StorageError(f"storage in '{url.get_backend_name()}' is not supported: use {_FORMS}")
    return StorageUrl(url)


def _with_driver(url: sqlalchemy.URL) -> sqlalchemy.URL:
    """The URL with a driver that is installed."""
    if url.drivername.startswith("mariadb+"):
        url = url.set(drivername=url.drivername.replace("mariadb", "mysql", 1))  # Optuna knows it by this name alone
    for drivername in _DRIVERS.get(url.drivername, (url.drivername,)):
        named = url.set(drivername=drivername)
        try:
            named.get_dialect().import_dbapi()
        except (NoSuchModuleError, ImportError):
            continue
        return named
    hint = "`pip install pymysql`, or " if url.drivername in ("mysql", "mysql+pymysql") else ""
    raise StorageError(
        f"the storage URL names '{url.drivername}', and no driver for it is installed: {hint}use {_FORMS}"
    )


def _sqlite(url: sqlalchemy.URL) -> sqlalchemy.URL:
    """With an absolute path, so that a worker started elsewhere opens the same file."""
    if url.database in (None, "", ":memory:"):
        raise StorageError("a SQLite storage in memory cannot be shared by workers: name a file, sqlite:///FILE.db")
    file = Path(str(url.database)).absolute()
    if not file.parent.is_dir():
        raise StorageError(f"the folder of the storage {file} does not exist: make {file.parent}, or name another file")
    return url.set(database=str(file))


def _private(folder: str) -> StorageUrl:
    """The database of the private server in ``folder``, whose socket lies among its data.

    Raises StorageError for a folder that holds other things, or whose path is too long.
    """
    if not folder:
        raise StorageError("the storage postgres-local: names no folder: write postgres-local:DIR")
    place = Path(folder).expanduser().resolve()
    if len(os.fsencode(place / SERVER_DATA / SERVER_SOCKET)) > _LONGEST_SOCKET_PATH:
        raise StorageError(f"the path {place} is too long for the socket of a server in it: choose a shorter one")
    there = {path.name for path in place.iterdir()} if place.exists() else set()
    if USERS_LOCK not in there and not there <= _FIRST_MADE:
        raise StorageError(f"{place} is not empty and holds no studies: give postgres-local: a folder of its own")
    socket = {"host": str(place / SERVER_DATA)}
    url = sqlalchemy.URL.create("postgresql+psycopg", username="postgres", database="postgres", query=socket)
    return StorageUrl(url, place)
