"""The URL that says where studies are kept: SQLite for one machine, PostgreSQL for many."""

from dataclasses import dataclass
from pathlib import Path

import sqlalchemy
from sqlalchemy.exc import ArgumentError, NoSuchModuleError

from storage.errors import StorageError

_POSTGRESQL_NAMES = ("postgres", "postgresql")
_SECRET_QUERY_KEYS = ("password", "sslpassword")


@dataclass(frozen=True)
class StorageUrl:
    """A checked storage URL. Printing it never shows its password."""

    _url: sqlalchemy.URL

    @property
    def sqlite_file(self) -> Path | None:
        """The database file, or None for a server."""
        return Path(self._url.database or "") if self._url.get_backend_name() == "sqlite" else None

    @property
    def sqlalchemy_url(self) -> sqlalchemy.URL:
        return self._url

    @property
    def with_password(self) -> str:
        """The whole URL, for the environment of a worker: never for a log, an error or a command line."""
        return self._url.render_as_string(hide_password=False)

    @property
    def for_optuna(self) -> str:
        """As Optuna takes it: it runs the URL through ``str.format``, so braces are doubled."""
        return self.with_password.replace("{", "{{").replace("}", "}}")

    def __str__(self) -> str:
        hidden = {key: "***" for key in _SECRET_QUERY_KEYS if key in self._url.query}
        return self._url.update_query_dict(hidden).render_as_string(hide_password=True)

    __repr__ = __str__


def parse_url(text: str) -> StorageUrl:
    """The storage that ``text`` names. Raises StorageError for what is no URL, or a database without its driver."""
    try:
        url = sqlalchemy.make_url(text)
    except (ArgumentError, ValueError) as error:
        # The text itself may hold a password, so it is not shown.
        raise StorageError(
            "the storage URL cannot be read: write sqlite:///FILE.db or postgresql://USER@HOST/DATABASE, "
            "with @ : / # % in a password percent-encoded"
        ) from error
    if url.get_backend_name() != "sqlite" and text.partition("?")[0].count("@") > 1:
        raise StorageError("the storage URL has more than one @: write those in the password as %40, and / as %2F")
    if url.drivername in _POSTGRESQL_NAMES:
        url = url.set(drivername="postgresql+psycopg")
    backend = url.get_backend_name()
    try:
        url.get_dialect().import_dbapi()
    except (NoSuchModuleError, ImportError) as error:
        raise StorageError(
            f"the storage URL names '{url.drivername}', and no driver for it is installed: "
            "use sqlite:///FILE.db or postgresql://USER@HOST/DATABASE"
        ) from error
    if backend == "sqlite":
        return StorageUrl(_sqlite(url))
    if backend != "postgresql":
        raise StorageError(f"storage in '{backend}' is not supported: use sqlite:///FILE.db or postgresql://...")
    return StorageUrl(url)


def _sqlite(url: sqlalchemy.URL) -> sqlalchemy.URL:
    """With an absolute path, so that a worker started elsewhere opens the same file."""
    if url.database in (None, "", ":memory:"):
        raise StorageError("a SQLite storage in memory cannot be shared by workers: name a file, sqlite:///FILE.db")
    file = Path(str(url.database)).absolute()
    if not file.parent.is_dir():
        raise StorageError(f"the folder of the storage {file} does not exist: make {file.parent}, or name another file")
    return url.set(database=str(file))
