"""Workers without recent heartbeats."""

import sqlalchemy

from nlb_search.storage.database.urls import StorageUrl


def set_back_heartbeats(url: StorageUrl, seconds: int) -> None:
    """Make all heartbeats in a storage older by this number of seconds."""
    ago = {
        "sqlite": f"datetime(heartbeat, '-{seconds} seconds')",
        "postgresql": f"heartbeat - interval '{seconds} seconds'",
    }
    engine = sqlalchemy.create_engine(url.sqlalchemy_url)
    with engine.begin() as connection:
        change = f"UPDATE trial_heartbeats SET heartbeat = {ago[engine.dialect.name]}"
        assert connection.execute(sqlalchemy.text(change)).rowcount > 0
    engine.dispose()
