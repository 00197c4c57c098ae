"""The dashboard's page, opened in a real browser."""

import re
import signal
import socket
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.helpers.processes.command import search, start
from tests.helpers.servers.chromium import needs_chromium, opened


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def page(recordings: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a dashboard with one finished study."""
    folder = tmp_path_factory.mktemp("dashboard")
    options = ("--dataset", "mc_rtt", "--arch", "FF -> exp", "--trials", "3", "--epochs", "2", "--pruner", "none")
    search("lab-study", *options, data=recordings, cwd=folder)
    port = _free_port()
    dashboard = start("dashboard", "--port", str(port), cwd=folder)
    address = f"http://127.0.0.1:{port}"
    until = time.monotonic() + 90
    while True:
        try:
            urllib.request.urlopen(f"{address}/dashboard", timeout=5).close()  # noqa: S310 - an address of our own
            break
        except OSError:
            assert dashboard.poll() is None, (folder / "log").read_text()
            assert time.monotonic() < until, "the dashboard does not answer"
            time.sleep(0.2)
    yield address
    dashboard.send_signal(signal.SIGTERM)
    assert dashboard.wait(timeout=20) == 0, "it ends as well when a service manager ends it as by Ctrl-C"
    assert "Traceback" not in (folder / "log").read_text()


@needs_chromium
def test_page_shows_study_and_trials(page: str, tmp_path: Path) -> None:
    assert "lab-study" in opened(f"{page}/dashboard", tmp_path)
    trials = opened(f"{page}/dashboard/studies/1/trials", tmp_path)
    assert "Complete" in trials
    assert "best epoch" in trials, "the attributes are in words"
    assert "best_epoch" not in trials
    assert "trial-00000-curve.svg" in trials
    assert "trial-00000-rates.svg" in trials


@needs_chromium
def test_page_shows_note_and_figures(page: str, tmp_path: Path) -> None:
    note = opened(f"{page}/dashboard/studies/1/note", tmp_path)
    assert "nlb-search resume lab-study" in note
    assert "FF -&gt; exp" in note
    study = opened(f"{page}/dashboard/studies/1", tmp_path)
    assert "lab-study: best score over time" in study
    assert "mc_rtt, 5 ms bins" in study, "the attributes are in words"
    assert "content_hash" not in study


@needs_chromium
def test_page_shows_the_table_of_trials(page: str, tmp_path: Path) -> None:
    table = opened(f"{page}/dashboard/studies/1/smartSelection", tmp_path)
    heads = re.sub("<[^>]*>", " ", " ".join(re.findall(r"<th[ >].*?</th>", table)))
    assert {"Number", "State", "Value", "dropout", "lr"} <= set(heads.split())
    assert len(re.findall(r"<tr", table.partition("<tbody")[2])) >= 3


@needs_chromium
def test_errors_of_a_page_are_noticed(tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text("<script>nothing.is_defined()</script>")
    with pytest.raises(AssertionError, match="nothing is not defined"):
        opened((tmp_path / "page.html").as_uri(), tmp_path)


def test_dashboard_listens_on_loopback_only(page: str) -> None:
    port = page.rpartition(":")[2]
    listening = psutil.net_connections(kind="tcp")
    hosts = {end.laddr.ip for end in listening if end.status == "LISTEN" and end.laddr.port == int(port)}
    assert hosts == {"127.0.0.1"}
