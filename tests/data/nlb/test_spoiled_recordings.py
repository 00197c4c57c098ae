"""Any corrupted file gives either a DataError or the same tensors as nlb_tools."""

import subprocess
import sys
from collections import Counter
from pathlib import Path

import foreign_nwb
import pytest

PROGRAM = Path(__file__).parents[2] / "helpers" / "spoiled_recordings.py"
CASES = 84
"""Twelve for each of the seven kinds of corruption."""


@pytest.mark.parametrize("layout", foreign_nwb.LAYOUTS)
def test_corrupted_recordings_are_refused_or_match_nlb_tools(tmp_path, layout):
    foreign_nwb.write_recording(tmp_path / layout, layout, trials=16, neurons=5)
    first = 250 * list(foreign_nwb.LAYOUTS).index(layout)
    arguments = [tmp_path / layout, layout, first, first + CASES]
    command = [sys.executable, PROGRAM, *map(str, arguments)]
    ran = subprocess.run(command, capture_output=True, text=True)
    assert ran.returncode == 0, f"{ran.stdout[-300:]}\n{ran.stderr[-3000:]}"

    ends = Counter(line.split(": ")[3].split(",")[0] for line in ran.stdout.splitlines())
    assert ends.total() == CASES
    assert ends.keys() <= {"refused", "same", "right", "unjudged", "survived"}
    assert min(ends["refused"], ends["same"], ends["right"]) >= CASES / 50
    assert max(ends["unjudged"], ends["survived"]) <= CASES / 50
