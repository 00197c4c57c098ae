"""Running the command line."""

import contextlib
import io
import json
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nlb_search.search.cli.app import main
from nlb_search.search.launching.worker_process import MODULE

COMMAND = [sys.executable, *MODULE]


@dataclass(frozen=True)
class Outcome:
    """The output and exit code of a command."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


def run(*arguments: str | Path, cwd: Path, timeout: float = 240) -> Outcome:
    """Run ``nlb-search`` with these arguments in the folder ``cwd`` and wait for its end."""
    done = subprocess.run(
        [*COMMAND, *map(str, arguments)], cwd=cwd, capture_output=True, text=True, timeout=timeout, check=False
    )
    return Outcome(done.returncode, done.stdout, done.stderr)


def call(*arguments: str | Path, cwd: Path) -> Outcome:
    """Like ``run``, but inside this process, which saves the seconds that a process takes to start."""
    out, err = io.StringIO(), io.StringIO()
    argv, sys.argv = sys.argv, ["nlb-search", *map(str, arguments)]
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        with contextlib.chdir(cwd), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            main()
    except SystemExit as left:
        return Outcome(int(left.code or 0), out.getvalue(), err.getvalue())
    finally:
        sys.argv = argv
        for number, handler in handlers.items():
            signal.signal(number, handler)
    raise AssertionError("the command line must leave with an exit code")


def search(study: str, *options: str | Path, data: str | Path, cwd: Path) -> Outcome:
    """Create a study with ``launch`` and run one worker until its budget is met, both inside this process."""
    launched = call("launch", study, *options, "--workers", "0", "--data", data, cwd=cwd)
    assert launched.code == 0, launched.err
    worked = call("worker", study, "--data", data, cwd=cwd)
    assert worked.code == 0, worked.err
    return launched


def start(*arguments: str | Path, cwd: Path) -> subprocess.Popen[str]:
    """Start ``nlb-search`` in the background; its output goes to ``<cwd>/log``."""
    with (cwd / "log").open("a") as log:
        return subprocess.Popen(
            [*COMMAND, *map(str, arguments)], cwd=cwd, stdout=log, stderr=subprocess.STDOUT, text=True
        )
