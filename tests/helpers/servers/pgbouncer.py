"""A PgBouncer in front of a PostgreSQL server, on loopback ports."""

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from tests.helpers.servers.postgres_server import free_port

PGBOUNCER = shutil.which("pgbouncer")
needs_pgbouncer = pytest.mark.skipif(
    PGBOUNCER is None, reason="PgBouncer is not installed (Debian's package pgbouncer)"
)


@contextmanager
def pooling(server_url: str, pool_mode: str, ignored: str = "") -> Iterator[str]:
    """Pool connections to the database at ``server_url``. Yields the URL of the pooler.

    ``pool_mode`` is session or transaction, ``ignored`` the startup parameters that the pooler ignores.
    """
    server, port = psycopg.conninfo.conninfo_to_dict(server_url), free_port()
    database = " ".join(f"{key}='{server[key]}'" for key in ("host", "port", "dbname", "user", "password"))
    settings = {
        "listen_addr": "127.0.0.1",
        "listen_port": port,
        "unix_socket_dir": "",
        "auth_type": "any",
        "pool_mode": pool_mode,
        "ignore_startup_parameters": ignored,
    }
    with tempfile.TemporaryDirectory(prefix="nlb-search-") as folder:
        file = Path(folder) / "pgbouncer.ini"
        lines = "\n".join(f"{key} = {value}" for key, value in settings.items())
        file.write_text(f"[databases]\nstudies = {database}\n[pgbouncer]\n{lines}\n")
        # PgBouncer refuses to run as root.
        Path(folder).chmod(0o755)
        user = "nobody" if os.geteuid() == 0 else None
        process = subprocess.Popen([str(PGBOUNCER), "--quiet", file], user=user, stderr=subprocess.DEVNULL)
        url = f"postgresql://{server['user']}@127.0.0.1:{port}/studies"
        try:
            until = time.monotonic() + 30
            while not _answers(url):
                assert process.poll() is None, "PgBouncer ended"
                assert time.monotonic() < until, "PgBouncer does not answer"
                time.sleep(0.05)
            yield url
        finally:
            process.terminate()
            process.wait()


def _answers(url: str) -> bool:
    try:
        psycopg.connect(url).close()
    except psycopg.OperationalError:
        return False
    return True
