"""optuna-dashboard on the study's storage."""

import socket

from optuna.storages import RDBStorage
from optuna_dashboard import run_server

from search.errors import SearchError
from storage.urls import StorageUrl


def serve_dashboard(url: StorageUrl, host: str, port: int) -> None:
    """Serve the dashboard until interrupted. Raises SearchError if the port is taken.

    It has no login, and whoever reaches it can delete studies: ``host`` is this machine's own address unless told
    otherwise.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise SearchError(f"cannot listen on {host}:{port} ({error.strerror}): give another with --port") from error
    # Not the workers' own way to open it: that takes the write lock of a SQLite file for every read.
    run_server(RDBStorage(url.for_optuna), host=host, port=port)
