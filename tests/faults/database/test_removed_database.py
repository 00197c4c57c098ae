"""A search whose SQLite file disappears ends with an error and saves its running trials."""

import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from nlb_search.search.sampling.spaces.space_file import parse_space
from nlb_search.search.study.open_study import OpenStudy
from tests.helpers.processes.command import call, start

SMALL = parse_space("small.toml", "hidden = 4\nbidirectional = false\ninput_size = 'DT'")


@pytest.fixture
def study(begun: Callable[..., OpenStudy]) -> OpenStudy:
    """A study whose trials take longer than the test, and that are not saved in the meantime."""
    return begun(architectures=("GRU(1) -> FF -> exp",), space=SMALL, epochs=5000)


@pytest.fixture
def where(study: OpenStudy) -> tuple[str | Path, ...]:
    locations = study.locations
    url = locations.url.with_password
    return ("--storage", url, "--artifacts", locations.artifacts, "--data", locations.data)


@pytest.fixture
def search(study: OpenStudy, where: tuple[str | Path, ...], tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A search with one worker that trains a trial."""
    process = start("launch", "study", "--workers", "1", *where, cwd=tmp_path)
    until = time.monotonic() + 60
    while not any(trial.intermediate_values for trial in study.study.get_trials(deepcopy=False)):
        assert time.monotonic() < until, "the worker did not start"
        time.sleep(0.1)
    yield process
    process.kill()
    process.wait()


def test_removed_database_ends_the_search_and_moving_it_back_resumes_it(
    study: OpenStudy, search: subprocess.Popen[str], where: tuple[str | Path, ...], tmp_path: Path
) -> None:
    file = study.locations.url.sqlite_file
    assert file is not None
    file.rename(tmp_path / "moved.db")
    assert search.wait(120) == 1
    log = (tmp_path / "log").read_text()
    assert f"the database {file} was removed or replaced while it was in use" in log
    assert f"its training is saved in {study.checkpoints.folder}" in log
    assert study.checkpoints.running(0).exists()
    assert not file.exists(), "no process creates an empty database in its place"

    (tmp_path / "moved.db").rename(file)
    resumed = start("worker", "study", *where, cwd=tmp_path)
    until = time.monotonic() + 60
    while "trial 0 resumes from epoch" not in (tmp_path / "log").read_text():
        assert time.monotonic() < until, "the trial was not resumed"
        time.sleep(0.1)
    resumed.kill()
    resumed.wait()
    assert call("status", "study", *where[:4], cwd=tmp_path).code == 0
