"""A dashboard that serves a storage in a thread, and requests to it."""

import http.client
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nlb_search.search.dashboard.readable_studies import ReadableStudies
from nlb_search.search.dashboard.server import make_server
from nlb_search.storage.database.opening import open_for_editing, open_for_reading
from nlb_search.storage.database.urls import StorageUrl


@contextmanager
def serving(url: StorageUrl, writable: bool) -> Iterator[int]:
    """Serve the storage while the context lasts; yields the port."""
    database = (open_for_editing if writable else open_for_reading)(url, ReadableStudies)
    server = make_server(database, Path("artifacts"), "127.0.0.1", 0, frozenset({"localhost", "lab.example"}), writable)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield server.server_port
    server.shutdown()
    thread.join()
    server.server_close()


def ask(port: int, method: str, path: str, body: str = "", **headers: str) -> tuple[int, str]:
    """The status and the body of the response to a request."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request(method, path, body, {"Content-Type": "application/json", **headers})
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()
