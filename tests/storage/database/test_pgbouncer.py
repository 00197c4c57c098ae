"""Studies behind a real PgBouncer: session mode works, and transaction mode is rejected with the reason."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers.processes.command import call, search
from tests.helpers.servers.pgbouncer import needs_pgbouncer, pooling
from tests.helpers.servers.postgres_server import serving

pytestmark = needs_pgbouncer

OPTIONS = ("--dataset", "mc_rtt", "--arch", "FF -> exp", "--trials", "1", "--epochs", "1")


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with serving("lab", "secret", "studies") as port:
        yield f"postgresql://lab:secret@127.0.0.1:{port}/studies"


def test_search_runs_through_a_pooler_in_session_mode(
    server: str, recordings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pooling(server, "session", ignored="options") as url:
        monkeypatch.setenv("NLB_SEARCH_STORAGE", url)
        search("pooled", *OPTIONS, data=recordings, cwd=tmp_path)
        shown = call("status", "pooled", cwd=tmp_path)
    assert shown.code == 0, shown.err
    assert "1 of 1 trials" in shown.out


def test_pooler_that_refuses_startup_parameters_is_explained(server: str, tmp_path: Path) -> None:
    with pooling(server, "session") as url:
        outcome = call("studies", "--storage", url, cwd=tmp_path)
    assert outcome.code == 1
    assert "unsupported startup parameter" in outcome.err
    assert "ignore_startup_parameters = options" in outcome.err


def test_pooler_in_transaction_mode_is_rejected(server: str, tmp_path: Path) -> None:
    with pooling(server, "transaction", ignored="options") as url:
        outcome = call("studies", "--storage", url, cwd=tmp_path)
    assert outcome.code == 1
    assert "it is a connection pooler in transaction mode, which does not keep prepared statements" in outcome.err
    assert "use its session mode, or connect to PostgreSQL itself" in outcome.err
