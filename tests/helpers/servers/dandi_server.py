"""A local server that implements the required part of DANDI's API, with faults on request.

It has dandisets, their versions, paginated lists of assets, the metadata of assets with digests, and redirected
downloads with range requests. ``/files/`` serves single files by name, and ``/pages/`` always serves an HTML page.
"""

import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

PAGE = 2
"""Assets per page of a list: few, so that lists have several pages."""

LAST_DAY = "2024-10-17T14:44:00Z"


@dataclass
class Faults:
    """Faults of downloads. By default there are none."""

    cut_at: list[int] = field(default_factory=list)
    """Numbers of bytes after which the next responses break off."""
    corrupt: int = 0
    busy: int = 0
    """Number of requests that are answered with 503."""
    no_ranges: bool = False
    hang_at: int | None = None
    """Number of bytes after which every response stalls with an open connection."""


class DandiServer(ThreadingHTTPServer):
    """The server, its content, its faults, and the number of bytes that it sent."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.dandisets: dict[str, tuple[str, dict[str, bytes]]] = {}
        self.files: dict[str, bytes] = {}
        self.faults = Faults()
        self.sent = 0
        """Number of bytes of files that were sent."""
        self.ended = threading.Event()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    @property
    def url(self) -> str:
        return f"{self.address}/api"

    def publish(self, dandiset: str, version: str, subject: str, folder: Path) -> None:
        """Publish the recordings in a folder as a dandiset, in a subject's folder, with one more file."""
        assets = {f"{subject}/{path.name}": path.read_bytes() for path in sorted(folder.glob("*.nwb"))}
        self.dandisets[dandiset] = version, assets | {f"{subject}/readme.txt": b"not ours to fetch"}

    def replace(self, dandiset: str, version: str, path: str, content: bytes) -> None:
        """Publish a version in which one file differs."""
        self.dandisets[dandiset] = version, self.dandisets[dandiset][1] | {path: content}

    def asset(self, asset_id: str) -> tuple[str, bytes]:
        """An asset's path and content, by its id."""
        for _, assets in self.dandisets.values():
            for path, content in assets.items():
                if _id_of(path, content) == asset_id:
                    return path, content
        raise KeyError(asset_id)


@contextmanager
def dandi_server() -> Iterator[DandiServer]:
    """A server that runs for a block."""
    with DandiServer() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server
        finally:
            server.ended.set()
            server.shutdown()
            thread.join()


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _id_of(path: str, content: bytes) -> str:
    return hashlib.md5(path.encode() + content, usedforsecurity=False).hexdigest()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: DandiServer

    def log_message(self, *_: Any) -> None:
        pass

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        address = urlsplit(self.path)
        if self.server.faults.busy:
            self.server.faults.busy -= 1
            return self._answer(503, b"busy", "text/plain")
        for pattern, method in _ROUTES:
            if found := re.fullmatch(pattern, address.path):
                try:
                    return method(self, *found.groups(), **{k: v[0] for k, v in parse_qs(address.query).items()})
                except KeyError:
                    break
        return self._answer(404, b'{"detail": "Not found."}', "application/json")

    def _dandiset(self, dandiset: str) -> None:
        version, _ = self.server.dandisets[dandiset]
        times = {"created": LAST_DAY, "modified": LAST_DAY}
        about = {"name": "a recording", "asset_count": 0, "size": 0, "status": "Valid", **times}
        published = None if version == "draft" else {"version": version, **about}
        self._answer_json(
            {"identifier": dandiset, "contact_person": "name", "embargo_status": "OPEN", **times}
            | {"most_recent_published_version": published, "draft_version": {"version": "draft", **about}}
        )

    def _assets(self, dandiset: str, version: str, page: str = "1", **_: str) -> None:
        known, assets = self.server.dandisets[dandiset]
        if version != known:
            raise KeyError(version)
        rows = [
            {"asset_id": _id_of(path, content), "blob": sha256(content)[:32], "zarr": None, "path": path}
            | {"size": len(content), "created": LAST_DAY, "modified": LAST_DAY}
            for path, content in assets.items()
        ]
        first, after = PAGE * (int(page) - 1), PAGE * int(page)
        more = f"{self.server.address}{urlsplit(self.path).path}?page={int(page) + 1}" if after < len(rows) else None
        self._answer_json({"count": len(rows), "next": more, "previous": None, "results": rows[first:after]})

    def _metadata(self, asset_id: str) -> None:
        path, content = self.server.asset(asset_id)
        self._answer_json({"path": path, "digest": {"dandi:sha2-256": sha256(content)}, "contentSize": len(content)})

    def _download(self, asset_id: str) -> None:
        self.send_response(302)
        self.send_header("Location", f"/blobs/{asset_id}?signature=secret")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _blob(self, asset_id: str, **_: str) -> None:
        _, content = self.server.asset(asset_id)
        self._serve(content)

    def _file(self, name: str) -> None:
        self._serve(self.server.files[name])

    def _page(self) -> None:
        self._answer(200, b"<html>Welcome</html>", "text/html")

    def _serve(self, content: bytes) -> None:
        faults = self.server.faults
        first = 0
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        if asked and not faults.no_ranges:
            first = int(asked[1])
        rest = content[first:]
        self.send_response(206 if first else 200)
        self.send_header("Content-Length", str(len(rest)))
        self.send_header("ETag", f'"{sha256(content)}"')
        if first:
            self.send_header("Content-Range", f"bytes {first}-{len(content) - 1}/{len(content)}")
        self.end_headers()
        if self.command == "HEAD":
            return
        if faults.corrupt:
            faults.corrupt -= 1
            rest = rest[:-1] + bytes([rest[-1] ^ 1])
        cut = faults.cut_at.pop(0) if faults.cut_at else None
        part = rest[: min(len(rest), *(at for at in (cut, faults.hang_at, len(rest)) if at is not None))]
        self.server.sent += len(part)  # before it is sent: the client may look as soon as it has everything
        self.wfile.write(part)
        if faults.hang_at is not None:
            self.server.ended.wait()
        if len(part) < len(rest):
            self.close_connection = True

    def _answer_json(self, value: object) -> None:
        self._answer(200, json.dumps(value).encode(), "application/json")

    def _answer(self, status: int, body: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


_ROUTES = [
    (r"/api/dandisets/(\d+)/", _Handler._dandiset),
    (r"/api/dandisets/(\d+)/versions/([^/]+)/assets/", _Handler._assets),
    (r"/api/dandisets/\d+/versions/[^/]+/assets/(\w+)/", _Handler._metadata),
    (r"/api/assets/(\w+)/download/", _Handler._download),
    (r"/blobs/(\w+)", _Handler._blob),
    (r"/files/([\w.]+)", _Handler._file),
    (r"/pages/.*", _Handler._page),
]
