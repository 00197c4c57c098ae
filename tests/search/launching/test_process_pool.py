"""Processes of a pool are forked from one that has imported torch."""

import os
import subprocess
import sys
from pathlib import Path

PROGRAM = """
import os

from nlb_search.search.launching.process_pool import run_in_slots
from nlb_search.search.launching.slots import Slot
from nlb_search.search.workers.shutdown import Stop

if __name__ == "__main__":
    results = run_in_slots(abs, [-1, -2, -3], [Slot(0, None), Slot(1, None)], Stop(), group_of=abs)
    print(sorted(result for _, result in results), "PYTHONSAFEPATH" in os.environ)
"""


def test_modules_in_the_working_directory_are_not_imported(tmp_path: Path) -> None:
    """A user's folder may contain files named like packages, as that of any script or notebook."""
    (tmp_path / "program.py").write_text(PROGRAM)
    work = tmp_path / "work"
    work.mkdir()
    for name in ("torch", "numpy", "optuna"):
        (work / f"{name}.py").write_text("raise RuntimeError('a file of the user')")
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[3])}
    command = [sys.executable, tmp_path / "program.py"]
    ran = subprocess.run(command, cwd=work, env=environment, capture_output=True, text=True, timeout=100)
    assert ran.stdout == "[1, 2, 3] False\n", ran.stderr
