"""What stands before the dashboard, which has no login: it lets no other site in, and no change unless told to."""

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
"""Sent with every answer: no other site may show the page in a frame and have its buttons clicked."""


@dataclass(frozen=True)
class Guarded:
    """A WSGI application, reached only as it should be.

    A page of another site can make a browser on this machine send requests to the dashboard. Such a request betrays
    itself by its Origin; or by its Host, where the site's own name was made to lead here (DNS rebinding). An address
    in digits cannot be made to lead elsewhere.
    """

    app: WSGIApplication
    names: frozenset[str]
    """The names, beside addresses in digits, by which the page may be called."""
    writable: bool

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        def start(status: str, headers: list[tuple[str, str]], *rest: Any) -> Callable[[bytes], object]:
            return start_response(status, headers + _HEADERS, *rest)

        reason = self._refusal(environ)
        if reason is None:
            return self.app(environ, start)
        # Unread, what was sent would make the system cut the line before the answer arrives.
        length = environ.get("CONTENT_LENGTH", "")
        environ["wsgi.input"].read(min(int(length), _MAX_DRAINED) if length.isdecimal() else 0)
        start("403 Forbidden", [("Content-Type", "application/json")])
        return [json.dumps({"reason": reason}).encode()]

    def _refusal(self, environ: WSGIEnvironment) -> str | None:
        """Why a request is refused, as the page shows it; None if it is let in."""
        host = environ.get("HTTP_HOST", "")
        if not self._is_ours(host):
            return f"this dashboard is not called '{host}': open it by its address, or start it with --public-host"
        if environ["REQUEST_METHOD"] in _READING:
            return None
        if not self.writable:
            return "this dashboard is read-only: start it with --writable to change studies"
        if environ.get("HTTP_ORIGIN", f"//{host}").partition("//")[2] != host:
            return "a page of another site asked for this change"
        return None

    def _is_ours(self, host: str) -> bool:
        try:
            name = urlsplit(f"//{host}").hostname or ""
            return name in self.names or bool(ipaddress.ip_address(name))
        except ValueError:
            return False
