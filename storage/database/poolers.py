"""Connection poolers between workers and PostgreSQL, such as PgBouncer."""

import sqlalchemy

from nlb_search.storage.database.urls import StorageUrl
from nlb_search.storage.errors import StorageError

_SESSION = sqlalchemy.text("SELECT pg_backend_pid()")


def reject_transaction_mode(url: StorageUrl, engine: sqlalchemy.Engine) -> None:
    """Raise StorageError if the server is a pooler that gives each transaction another session of the database.

    A pooler in session mode keeps one session for each connection. In transaction mode, prepared statements and the
    statement timeout would belong to a session that later transactions do not have. This can be detected if two open
    connections have the same session, one after the other; not always, if others are using the pooler.
    """
    if url.backend != "postgresql":
        return
    with engine.connect() as first, engine.connect() as second:
        sessions = set()
        for connection in (first, second):
            sessions.add(connection.execute(_SESSION).scalar_one())
            connection.rollback()
    if len(sessions) == 1:
        raise StorageError(
            f"cannot open the storage {url}: it is a connection pooler in transaction mode, which does not keep "
            "prepared statements and timeouts: use its session mode, or connect to PostgreSQL itself"
        )
