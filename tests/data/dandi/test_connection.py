"""Unreachable proxies and untrusted certificates are reported at once, without retries."""

import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from tests.helpers.processes.command import Outcome, call
from tests.helpers.servers.postgres_server import free_port


@pytest.fixture
def untrusted(tmp_path: Path) -> Iterator[str]:
    """The URL of a server with a certificate that it has signed itself."""
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    made = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    files = ["-keyout", str(key), "-out", str(certificate)]
    subprocess.run([*made, *files, "-subj", "/CN=localhost"], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield f"https://localhost:{server.server_port}/api"
        server.shutdown()
        thread.join()


def _rejected_at_once(*options: str, cwd: Path) -> Outcome:
    before = time.monotonic()
    rejected = call("fetch", "mc_rtt", *options, "--data", cwd / "data", cwd=cwd)
    assert time.monotonic() - before < 20, "it must not retry for a minute"
    assert rejected.code == 1
    return rejected


def test_proxy_that_is_away_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    proxy = f"127.0.0.1:{free_port()}"
    monkeypatch.setenv("HTTPS_PROXY", f"http://user:secret@{proxy}")
    monkeypatch.setenv("NO_PROXY", "")
    rejected = _rejected_at_once("--dandi-url", "https://dandi.example/api", cwd=tmp_path)
    assert f"https://dandi.example/api cannot be reached through the proxy {proxy}: check the proxy" in rejected.err
    assert "secret" not in rejected.err


def test_untrusted_certificate_is_named(untrusted: str, tmp_path: Path) -> None:
    rejected = _rejected_at_once("--dandi-url", untrusted, cwd=tmp_path)
    assert f"the certificate of {untrusted} is not trusted" in rejected.err
    assert "set REQUESTS_CA_BUNDLE" in rejected.err
