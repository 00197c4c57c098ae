"""Third-party recordings of every layout, and copies that tests may change."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.helpers.recordings import foreign_nwb


@pytest.fixture(scope="session")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one recording of each layout, never changed."""
    folder = tmp_path_factory.mktemp("written")
    for layout in foreign_nwb.LAYOUTS:
        foreign_nwb.write_recording(folder / layout, layout)
    return folder


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache of recordings that are never changed."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def mine(written: Path, tmp_path: Path) -> Callable[[str], Path]:
    """Copies a recording that a test may change; returns the path of its training file."""

    def copy(layout: str) -> Path:
        return Path(shutil.copytree(written / layout, tmp_path / layout)) / "my-train-set.nwb"

    return copy
