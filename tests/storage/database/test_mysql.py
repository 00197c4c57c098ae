"""Studies in a real MariaDB server, which speaks MySQL."""

import os
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from optuna.trial import TrialState

from nlb_search.storage.database.locks import exclusive
from nlb_search.storage.database.opening import open_database
from nlb_search.storage.database.urls import StorageUrl, parse_url
from nlb_search.storage.errors import StorageError
from nlb_search.storage.studies import make_study
from tests.helpers.processes.claimant import claims_of, count_states, exit_codes, start_workers

SERVER, INSTALL = shutil.which("mariadbd"), shutil.which("mariadb-install-db")

pytestmark = pytest.mark.skipif(not (SERVER and INSTALL), reason="needs mariadbd and mariadb-install-db")


@dataclass
class MariaDB:
    """A server in a folder that tests may stop and start."""

    folder: Path
    port: int
    process: subprocess.Popen[bytes] | None = None

    @property
    def options(self) -> list[str]:
        user = ["--user=root"] if os.geteuid() == 0 else []
        return [f"--datadir={self.folder}/data", *user]

    def start(self) -> None:
        self.process = subprocess.Popen(
            [
                *(str(SERVER), "--no-defaults", *self.options, "--bind-address=127.0.0.1", f"--port={self.port}"),
                *(
                    f"--socket={self.folder}/socket",
                    f"--pid-file={self.folder}/pid",
                    f"--log-error={self.folder}/log.err",
                ),
            ]
        )
        until = time.monotonic() + 60
        while "ready for connections" not in self._log():
            assert self.process.poll() is None, self._log()
            assert time.monotonic() < until, self._log()
            time.sleep(0.1)

    def _log(self) -> str:
        log = self.folder / "log.err"
        return log.read_text() if log.exists() else ""

    def stop(self) -> None:
        assert self.process is not None
        self.process.terminate()
        self.process.wait(60)
        (self.folder / "log.err").unlink()

    def url(self, user: str = "lab:secret", database: str = "studies") -> str:
        return f"mysql://{user}@127.0.0.1:{self.port}/{database}"


@pytest.fixture(scope="module")
def server() -> Iterator[MariaDB]:
    with tempfile.TemporaryDirectory(prefix="nlb-search-") as folder, socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        server = MariaDB(Path(folder), free.getsockname()[1])
        free.close()
        install = [str(INSTALL), "--no-defaults", *server.options, "--auth-root-authentication-method=normal"]
        subprocess.run([*install, "--skip-test-db"], check=True, capture_output=True)
        server.start()
        orders = "CREATE DATABASE studies; CREATE USER lab IDENTIFIED BY 'secret'; GRANT ALL ON studies.* TO lab"
        _ask_as_root(server, orders)
        yield server
        server.stop()


def _ask_as_root(server: MariaDB, orders: str) -> None:
    import pymysql

    with pymysql.connect(unix_socket=f"{server.folder}/socket", user="root") as connection:
        for order in orders.split(";"):
            connection.cursor().execute(order)


@pytest.fixture(scope="module")
def url(server: MariaDB) -> StorageUrl:
    return parse_url(server.url())


def test_two_processes_meet_budget_exactly(url: StorageUrl) -> None:
    make_study(url, open_database(url), "study", spec={}, starts=[])
    assert exit_codes(start_workers(url.with_password, 2, budget=12)) == [0, 0]
    trials = claims_of(url.with_password, "study", budget=12).study.get_trials()
    states = [trial.state for trial in trials]
    assert states.count(TrialState.COMPLETE) + states.count(TrialState.PRUNED) == 12
    assert states.count(TrialState.FAIL) > 0
    assert set(states) <= {TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL}
    assert [trial.number for trial in trials] == list(range(len(trials)))


def test_work_continues_after_server_restart(
    server: MariaDB, url: StorageUrl, caplog: pytest.LogCaptureFixture
) -> None:
    make_study(url, open_database(url), "restarted", spec={}, starts=[])
    claims = claims_of(url.with_password, "restarted", budget=5)
    claim = claims.next()
    assert claim is not None
    server.stop()
    back = threading.Timer(3, server.start)
    back.start()
    claim.report(0.2, 1)
    claim.complete(0.25)
    back.join()
    assert claims.next() is not None
    assert count_states(claims.study) == {TrialState.COMPLETE: 1, TrialState.RUNNING: 1}
    (said,) = [line for line in caplog.messages if "is unreachable" in line]
    assert said.startswith("the database is unreachable (")
    assert "MySQL server" in said


def test_lock_is_exclusive_by_full_name(url: StorageUrl, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nlb_search.storage.database.locks.WAIT_SECONDS", 0)
    long = "study:" + "x" * 100
    with exclusive(url, f"{long}1"):
        with exclusive(url, f"{long}2"):
            pass
        with pytest.raises(TimeoutError, match="another process has held the lock"), exclusive(url, f"{long}1"):
            pass
    with exclusive(url, f"{long}1"):
        pass


@pytest.mark.parametrize(("user", "database"), [("lab:wrong-one", "studies"), ("lab:secret", "no_such"), ("x:y", "z")])
def test_permanent_errors_are_raised_at_once(server: MariaDB, user: str, database: str) -> None:
    from sqlalchemy.exc import OperationalError

    from nlb_search.storage.database.failures import is_transient

    with pytest.raises(StorageError, match=r"cannot open the storage mysql\+pymysql://\w+:\*\*\*@") as error:
        open_database(parse_url(server.url(user, database)))
    assert "wrong-one" not in str(error.value)
    assert isinstance(error.value.__cause__, OperationalError)
    assert not is_transient(error.value.__cause__)
