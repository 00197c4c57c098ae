"""Any corrupted file gives either a DataError or the same tensors as nlb_tools."""

import subprocess
import sys
from collections import Counter

import pytest

from tests.helpers.recordings import foreign_nwb

PROGRAM = "tests.helpers.recordings.spoiled_recordings"
CASES = 84
"""Twelve for each of the seven kinds of corruption."""


@pytest.fixture(scope="module")
def lines(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The output of the program for all layouts: it takes seconds to start."""
    folder = tmp_path_factory.mktemp("spoiled")
    for layout in foreign_nwb.LAYOUTS:
        foreign_nwb.write_recording(folder / layout, layout, trials=16, neurons=5)
    command = [sys.executable, "-m", PROGRAM, folder, str(CASES)]
    ran = subprocess.run(command, capture_output=True, text=True)
    assert ran.returncode == 0, f"{ran.stdout[-300:]}\n{ran.stderr[-3000:]}"
    return ran.stdout.splitlines()


@pytest.mark.parametrize("layout", foreign_nwb.LAYOUTS)
def test_corrupted_recordings_are_rejected_or_match_nlb_tools(lines: list[str], layout: str) -> None:
    ends = Counter(line.split(": ")[4].split(",")[0] for line in lines if line.startswith(f"{layout}: "))
    assert ends.total() == CASES
    assert ends.keys() <= {"rejected", "same", "right", "unjudged", "survived"}
    assert min(ends["rejected"], ends["same"], ends["right"]) >= CASES / 50
    assert max(ends["unjudged"], ends["survived"]) <= CASES / 50
