"""The access guard of the dashboard, tested over HTTP."""

import http.client
import json
from pathlib import Path

import optuna
import pytest

from nlb_search.storage.database.opening import open_database, open_for_reading
from nlb_search.storage.database.urls import StorageUrl, parse_url
from nlb_search.storage.studies import make_study, study_names
from tests.helpers.servers.serving import ask, serving


@pytest.fixture
def url(tmp_path: Path) -> StorageUrl:
    """A storage with one study, whose id is 1."""
    url = parse_url(f"sqlite:///{tmp_path}/studies.db")
    make_study(url, open_database(url), "lab", {}, starts=[])
    return url


def test_read_only_dashboard_rejects_changes(url: StorageUrl) -> None:
    with serving(url, writable=False) as port:
        for method, path in (("DELETE", "/api/studies/1"), ("PUT", "/api/studies/1/note"), ("POST", "/api/studies")):
            status, said = ask(port, method, path, body="x" * 300_000)
            assert status == 403
            assert "read-only" in json.loads(said)["reason"]
        assert "lab" in ask(port, "GET", "/api/studies")[1]
    assert study_names(open_database(url)) == ["lab"]


def test_new_study_is_shown_whileserving(url: StorageUrl) -> None:
    with serving(url, writable=False) as port:
        assert "later" not in ask(port, "GET", "/api/studies")[1]
        make_study(url, open_database(url), "later", {}, starts=[])
        assert "later" in ask(port, "GET", "/api/studies")[1]


def test_dns_rebinding_is_rejected(url: StorageUrl) -> None:
    with serving(url, writable=False) as port:
        for host in ("evil.example", "evil.example:8080", "127.0.0.1.evil.example", "", "[::1"):
            assert ask(port, "GET", "/api/studies", Host=host)[0] == 403, host


def test_allowed_hosts(url: StorageUrl) -> None:
    with serving(url, writable=False) as port:
        for host in ("localhost:9000", "127.0.0.1", "[::1]:8080", "192.168.1.7:8080", "Lab.Example"):
            assert ask(port, "GET", "/api/studies", Host=host)[0] == 200, host


def test_cross_site_requests_and_frames_are_rejected(url: StorageUrl) -> None:
    with serving(url, writable=True) as port:
        ours = f"127.0.0.1:{port}"
        for origin in ("http://evil.example", "null", f"http://localhost:{port}", "http://127.0.0.1:1"):
            assert ask(port, "DELETE", "/api/studies/1", Origin=origin)[0] == 403, origin
        assert study_names(open_database(url)) == ["lab"]
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        connection.request("GET", "/dashboard")
        assert connection.getresponse().getheader("X-Frame-Options") == "DENY"
        connection.close()
        assert ask(port, "DELETE", "/api/studies/1", Origin=f"http://{ours}")[0] == 204
    assert study_names(open_database(url)) == []


def test_https_proxy_may_change_studies(url: StorageUrl) -> None:
    with serving(url, writable=True) as port:
        made = json.dumps({"study_name": "new", "directions": ["maximize"]})
        host, origin = "lab.example:8443", "https://lab.example:8443"
        assert ask(port, "POST", "/api/studies", made, Host=host, Origin=origin)[0] == 201
    assert "new" in study_names(open_database(url))


def test_read_only_storage_cannot_be_changed(url: StorageUrl) -> None:
    database = open_for_reading(url)
    with pytest.raises(optuna.exceptions.StorageInternalError):
        database.delete_study(database.get_study_id_from_name("lab"))
    assert study_names(open_database(url)) == ["lab"]
