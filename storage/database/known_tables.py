"""Opening a database whose tables this version of Optuna created.

For any other database, Optuna imports alembic and compares the migrations. This takes longer than everything else in
opening a database.
"""

from typing import Any

import optuna
import sqlalchemy
from optuna.storages import RDBStorage
from sqlalchemy.orm import scoped_session, sessionmaker

_VERSION = sqlalchemy.text("SELECT library_version FROM version_info, alembic_version WHERE version_num IS NOT NULL")
"""Optuna writes the row of ``alembic_version`` last: without it, the tables may be incomplete."""


class KnownTablesStorage(RDBStorage):
    """Optuna's storage without its check of the tables; see ``has_known_tables``."""

    def __init__(self, url: str, engine_kwargs: dict[str, Any], heartbeat_interval: int, grace_period: int) -> None:
        # Not the constructor of RDBStorage: it always makes a version manager, which imports alembic.
        self.url = self._fill_storage_url_template(url)
        self.engine_kwargs = engine_kwargs
        self.skip_compatibility_check = True
        self.heartbeat_interval = heartbeat_interval
        self.grace_period = grace_period
        self.heartbeat_stale_trial_callback = self.failed_trial_callback = None
        self.engine = sqlalchemy.create_engine(self.url, **engine_kwargs)
        self.scoped_session = scoped_session(sessionmaker(bind=self.engine))

    @property
    def has_known_tables(self) -> bool:
        """Whether the database has all tables, and this version of Optuna created or upgraded them."""
        if not sqlalchemy.inspect(self.engine).has_table("alembic_version"):
            return False
        with self.engine.connect() as connection:
            return connection.execute(_VERSION).scalar() == optuna.__version__
