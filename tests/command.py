"""Running the command line as a user does."""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

COMMAND = [sys.executable, "-m", "search"]


@dataclass(frozen=True)
class Outcome:
    """What a command left on the terminal, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


def run(*arguments: str | Path, cwd: Path, timeout: float = 240) -> Outcome:
    """Run ``nlb-search`` with these arguments in a folder, to its end."""
    done = subprocess.run(
        [*COMMAND, *map(str, arguments)], cwd=cwd, capture_output=True, text=True, timeout=timeout, check=False
    )
    return Outcome(done.returncode, done.stdout, done.stderr)


def start(*arguments: str | Path, cwd: Path) -> subprocess.Popen[str]:
    """Start ``nlb-search`` and leave it running; its words go to ``<cwd>/log``."""
    with (cwd / "log").open("a") as log:
        return subprocess.Popen(
            [*COMMAND, *map(str, arguments)], cwd=cwd, stdout=log, stderr=subprocess.STDOUT, text=True
        )
