"""A worker that dies is restarted, unless it dies repeatedly soon after its start."""

import os
from pathlib import Path

import pytest

import nlb_search.search.launching.worker_process
from nlb_search.search.creation.study_creation import StudyRequest, create_or_open
from nlb_search.search.errors import SearchError
from nlb_search.search.launching.launcher import run_workers
from nlb_search.search.launching.progress import LineDisplay
from nlb_search.search.launching.slots import Slot
from nlb_search.search.study.open_study import Locations, OpenStudy
from nlb_search.search.workers.shutdown import Stop
from nlb_search.search.workers.worker import work
from nlb_search.storage.database.urls import parse_url


@pytest.fixture
def study(recordings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> OpenStudy:
    monkeypatch.setattr(nlb_search.search.launching.worker_process, "FIRST_DELAY_SECONDS", 0.01)
    monkeypatch.setattr("nlb_search.search.launching.launcher.POLL_SECONDS", 0.05)
    locations = Locations(parse_url(f"sqlite:///{tmp_path}/nlb-search.db"), tmp_path / "artifacts", recordings)
    return create_or_open(
        locations, "study", StudyRequest(dataset="mc_rtt", architectures=("FF -> exp",), trials=1, epochs=2)
    )


def _as_python_starts(code: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make every Python process that is started from here run this code first."""
    (folder / "sitecustomize.py").write_text(code)
    monkeypatch.setenv("PYTHONPATH", f"{folder}{os.pathsep}{Path.cwd()}")


def test_repeatedly_killed_worker_is_not_restarted(
    study: OpenStudy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    _as_python_starts("import os; os.kill(os.getpid(), 9)", tmp_path, monkeypatch)
    reason = "worker 1 was killed by SIGKILL (possibly out of memory) soon after its start, 5 times in a row"
    with pytest.raises(SearchError) as error:
        run_workers(study, [Slot(0, None)], Stop(), None, LineDisplay())
    assert str(error.value) == f"all workers failed: {reason}"
    assert sum("restarting it in" in message for message in caplog.messages) == 4
    assert caplog.messages[-1] == f"{reason}: not restarting it"


def test_worker_that_exits_with_an_error_is_not_restarted(
    study: OpenStudy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    _as_python_starts(
        "import os; print('the recording is another one', flush=True); os._exit(1)", tmp_path, monkeypatch
    )
    with pytest.raises(SearchError, match="all workers failed: worker 1: the recording is another one"):
        run_workers(study, [Slot(0, None)], Stop(), None, LineDisplay())
    assert not any("restarting it in" in message for message in caplog.messages)


def test_failure_reason_is_first_line_of_error(
    study: OpenStudy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    error = "nlb-search: the disk is on fire\nrun it again as `nlb-search --debug ...`"
    _as_python_starts(f"import os; print({error!r}, flush=True); os._exit(1)", tmp_path, monkeypatch)
    with pytest.raises(SearchError, match=r"worker 1: nlb-search: the disk is on fire$"):
        run_workers(study, [Slot(0, None)], Stop(), None, LineDisplay())


def test_killed_worker_is_restarted_until_the_budget_is_met(
    study: OpenStudy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first worker is killed as it starts, and the second after its last trial."""
    starts = tmp_path / "starts"
    code = f"""
import atexit, os
kill = lambda: os.kill(os.getpid(), 9)
with open({str(starts)!r}, "a") as file:
    first = file.tell() == 0
    file.write("started ")
kill() if first else atexit.register(kill)
"""
    _as_python_starts(code, tmp_path, monkeypatch)
    status = run_workers(study, [Slot(0, None)], Stop(), None, LineDisplay())
    assert status.finished == 1
    assert starts.read_text() == "started " * 2


def test_no_worker_is_started_for_a_finished_study(
    study: OpenStudy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    work(study, Stop())
    study.checkpoints.running(0).touch()
    _as_python_starts(f"open({str(tmp_path / 'started')!r}, 'w').close()", tmp_path, monkeypatch)
    status = run_workers(study, [Slot(0, None)], Stop(), None, LineDisplay())
    assert status.finished == 1
    assert not (tmp_path / "started").exists()
    assert list(study.checkpoints.folder.glob("trial-*")) == [study.checkpoints.best(0)]
