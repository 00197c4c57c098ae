"""Server of optuna-dashboard for the studies of a storage."""

import logging
import signal
import socket
import sys
from pathlib import Path
from socketserver import ThreadingMixIn
from types import FrameType
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer
from wsgiref.types import WSGIApplication

from optuna.storages import RDBStorage
from optuna_dashboard import wsgi

from nlb_search.search.dashboard.access_guard import Guarded
from nlb_search.search.errors import SearchError
from nlb_search.storage.pictures import PictureStore

_log = logging.getLogger(__name__)


class _Server(ThreadingMixIn, WSGIServer):
    """A server with a thread per connection, because browsers open connections that they may never use."""

    daemon_threads = True

    def __init__(self, host: str, port: int, app: WSGIApplication) -> None:
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        super().__init__((host, port), WSGIRequestHandler)
        self.set_app(app)

    def handle_error(self, request: Any, client_address: Any) -> None:
        # Do not report browsers that close a connection early.
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


def make_server(
    database: RDBStorage, artifacts: Path, host: str, port: int, names: frozenset[str], writable: bool
) -> WSGIServer:
    """Create the dashboard's server, which listens at once.

    ``artifacts`` is the folder of all studies' checkpoints and pictures. ``names`` are the host names that are accepted
    in addition to numeric addresses. Unless ``writable``, requests that change the database are rejected. Raises
    SearchError if the port cannot be opened.
    """
    try:
        return _Server(host, port, Guarded(wsgi(database, PictureStore(artifacts)), names, writable))
    except OSError as error:
        raise SearchError(f"cannot listen on {host}:{port} ({error.strerror}): choose another --port") from error


def serve(server: WSGIServer) -> None:
    """Serve until Ctrl-C or SIGTERM."""
    signal.signal(signal.SIGTERM, _interrupt)
    host, port = server.server_address[:2]
    _log.info("the dashboard is at http://%s:%d", f"[{host!s}]" if ":" in str(host) else host, port)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        server.server_close()


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
