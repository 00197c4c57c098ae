"""Commands after ``launch`` need only the study's name: the study remembers where its recording was."""

import shutil
import socket
from pathlib import Path

import optuna
import pytest

from nlb_search.data import from_arrays
from tests.helpers.processes.command import Outcome, call, run
from tests.helpers.recordings.foreign_nwb import write_recording
from tests.helpers.recordings.toy_arrays import toy_arrays

SMALL = ("--arch", "rnnf", "--trials", "1", "--epochs", "4")
HERE = f"recording-on-{socket.gethostname()}"


def launch(study: str, *options: str | Path, cwd: Path) -> Outcome:
    launched = call("launch", study, *SMALL, "--workers", "0", *options, cwd=cwd)
    assert launched.code == 0, launched.err
    return launched


def stored(folder: Path, study: str) -> optuna.Study:
    return optuna.load_study(study_name=study, storage=f"sqlite:///{folder}/nlb-search.db")


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """A folder with the study ``own`` of the recording ``far/session.h5``, given by a relative path."""
    (tmp_path / "far").mkdir()
    from_arrays(tmp_path / "far" / "session.h5", toy_arrays(40, 16))
    launch("own", "--dataset", "session", "--data", "far/session.h5", cwd=tmp_path)
    return tmp_path


def test_whole_search_needs_only_the_name(study: Path) -> None:
    """Called in another folder, also by a real process and its worker: the path is stored as an absolute one."""
    elsewhere = study / "elsewhere"
    elsewhere.mkdir()
    storage = ("--storage", f"sqlite:///{study}/nlb-search.db")
    resumed = run("resume", "own", "--workers", "1", *storage, cwd=elsewhere)
    assert resumed.code == 0, resumed.err
    assert "1 of 1 trials" in resumed.out
    for command in (
        ("worker", "own"),
        ("export-best", "own", "--out", "rates.h5"),
        ("rescore", "own", "--finalists", "1", "--splits", "2", "--workers", "1"),
        ("launch", "own", "--workers", "1"),
    ):
        done = call(*command, *storage, cwd=elsewhere)
        assert done.code == 0, done.err
    assert stored(study, "own").user_attrs[HERE] == str(study / "far" / "session.h5")


def test_moved_recording_is_named(study: Path) -> None:
    """The remembered path is a hint: the error names it, and --data replaces it."""
    moved = study / "moved.h5"
    (study / "far" / "session.h5").rename(moved)
    rejected = call("worker", "own", cwd=study)
    assert rejected.code == 1
    assert (
        f"the recording of the study 'own' is no longer at {study}/far/session.h5 on {socket.gethostname()}"
        ": give its file or folder with --data"
    ) in rejected.err
    wrong = call("worker", "own", "--data", "other.h5", cwd=study)
    assert (
        f"other.h5 has no recording of session; the study 'own' last read it from {study}/far/session.h5" in wrong.err
    )
    resumed = call("resume", "own", "--workers", "1", "--data", "moved.h5", cwd=study)
    assert resumed.code == 0, resumed.err
    assert stored(study, "own").user_attrs[HERE] == str(moved)
    assert call("export-best", "own", "--out", "rates.h5", cwd=study).code == 0


def test_other_content_at_the_remembered_path_is_rejected(study: Path) -> None:
    from_arrays(study / "other.h5", toy_arrays(40, 16, seed=1))
    shutil.copy(study / "other.h5", study / "far" / "session.h5")
    rejected = call("worker", "own", cwd=study)
    assert rejected.code == 1
    assert "the study 'own' was created from session with content" in rejected.err


def test_data_option_and_environment_take_precedence(study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A path that was given is never replaced by the remembered one."""
    assert call("worker", "own", "--data", "nlb-data", cwd=study).code == 1
    monkeypatch.setenv("NLB_SEARCH_DATA", "nowhere.h5")
    rejected = call("worker", "own", cwd=study)
    assert rejected.code == 1
    assert "nowhere.h5 has no recording of session" in rejected.err


def test_places_of_other_machines_are_tried_last(study: Path) -> None:
    """Machines may share a folder: the path of another one is used if it has the recording here."""
    attributes = stored(study, "own")
    shared = shutil.copy(study / "far" / "session.h5", study / "shared.h5")
    attributes.set_user_attr("recording-on-a-node", str(shared))
    (study / "far" / "session.h5").rename(study / "far" / "kept.h5")
    assert call("worker", "own", cwd=study).code == 0
    attributes.set_user_attr("recording-on-a-node", str(study / "not-mounted.h5"))
    attributes.set_user_attr(HERE, None)
    rejected = call("export-best", "own", "--out", "rates.h5", cwd=study)
    assert f"the recording of the study 'own' is no longer at {study}/not-mounted.h5 on a-node" in rejected.err


def test_datasets_of_the_benchmark(tmp_path: Path) -> None:
    """The folder is remembered too; the default folder is used if it has the dataset."""
    write_recording(tmp_path / "far" / "mc_rtt", "mc_rtt", trials=40, neurons=12)
    launch("rtt", "--dataset", "mc_rtt", "--data", "far", cwd=tmp_path)
    assert call("worker", "rtt", cwd=tmp_path).code == 0
    write_recording(tmp_path / "nlb-data" / "mc_rtt", "mc_rtt", trials=40, neurons=12, seed=1)
    rejected = call("export-best", "rtt", "--out", "rates.h5", cwd=tmp_path)
    assert "nlb-data has content" in rejected.err
    assert f"it was {tmp_path}/far" in rejected.err
