"""Access checks for the dashboard, which has no login: rejects requests from other sites, and changes by default."""

import ipaddress
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

_READING = ("GET", "HEAD", "OPTIONS")
_MAX_DRAINED = 1 << 20
_HEADERS = [("X-Frame-Options", "DENY"), ("X-Content-Type-Options", "nosniff")]
"""Headers of every response: other sites must not show the page in a frame (clickjacking)."""


@dataclass(frozen=True)
class Guarded:
    """A WSGI application that rejects requests from other sites, and changes unless it is ``writable``.

    A page of another site can make a browser on this machine send requests to the dashboard. Such a request has a
    foreign Origin, or a foreign Host if the site's name resolves to this machine (DNS rebinding). Numeric addresses are
    always accepted as Host, because they cannot be rebound.
    """

    app: WSGIApplication
    names: frozenset[str]
    """Host names that are accepted in addition to numeric addresses."""
    writable: bool

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        def start(status: str, headers: list[tuple[str, str]], *rest: Any) -> Callable[[bytes], object]:
            return start_response(status, headers + _HEADERS, *rest)

        reason = self._rejection(environ)
        if reason is None:
            return self.app(environ, start)
        # Read the request body: otherwise the connection is reset before the response arrives.
        length = environ.get("CONTENT_LENGTH", "")
        environ["wsgi.input"].read(min(int(length), _MAX_DRAINED) if length.isdecimal() else 0)
        start("403 Forbidden", [("Content-Type", "application/json")])
        return [json.dumps({"reason": reason}).encode()]

    def _rejection(self, environ: WSGIEnvironment) -> str | None:
        """Why a request is rejected, as the page shows it; None if it is accepted."""
        host = environ.get("HTTP_HOST", "")
        if not self._is_accepted(host):
            return f"host name '{host}' is not accepted: open the dashboard by its address, or use --public-host"
        if environ["REQUEST_METHOD"] in _READING:
            return None
        if not self.writable:
            return "this dashboard is read-only: start it with --writable to change studies"
        if environ.get("HTTP_ORIGIN", f"//{host}").partition("//")[2] != host:
            return "this change was requested by a page of another site"
        return None

    def _is_accepted(self, host: str) -> bool:
        try:
            name = urlsplit(f"//{host}").hostname or ""
            return name in self.names or bool(ipaddress.ip_address(name))
        except ValueError:
            return False
