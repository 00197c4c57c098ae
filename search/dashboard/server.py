"""optuna-dashboard on the studies of a storage."""

import logging
import signal
import socket
import sys
from socketserver import ThreadingMixIn
from types import FrameType
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer
from wsgiref.types import WSGIApplication

from optuna.storages import RDBStorage
from optuna_dashboard import wsgi

from nlb_search.search.dashboard.access_guard import Guarded
from nlb_search.search.errors import SearchError

_log = logging.getLogger(__name__)


class _Server(ThreadingMixIn, WSGIServer):
    """A thread for each connection, for browsers open some that they may never use."""

    daemon_threads = True

    def __init__(self, host: str, port: int, app: WSGIApplication) -> None:
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        super().__init__((host, port), WSGIRequestHandler)
        self.set_app(app)

    def handle_error(self, request: Any, client_address: Any) -> None:
        # A browser that leaves in the middle is nothing to tell.
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


def make_server(database: RDBStorage, host: str, port: int, names: frozenset[str], writable: bool) -> WSGIServer:
    """The dashboard's server, listening. ``names`` are those by which the page may be called, beside addresses.

    Unless ``writable``, no change is let through to the database. Raises SearchError if it cannot listen there.
    """
    try:
        return _Server(host, port, Guarded(wsgi(database), names, writable))
    except OSError as error:
        raise SearchError(f"cannot listen on {host}:{port} ({error.strerror}): give another with --port") from error


def serve(server: WSGIServer) -> None:
    """Serve until Ctrl-C or SIGTERM."""
    signal.signal(signal.SIGTERM, _leave)
    host, port = server.server_address[:2]
    _log.info("the dashboard is at http://%s:%d", f"[{host!s}]" if ":" in str(host) else host, port)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        server.server_close()


def _leave(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
