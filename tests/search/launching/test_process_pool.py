"""Processes of a pool, which are forked from one that has imported torch, behave like processes started anew."""

import os
import signal
import subprocess
import sys
from pathlib import Path

PROGRAM = """
import os, sys, time

from nlb_search.search.launching.process_pool import exit_requested, run_in_slots
from nlb_search.search.launching.slots import Slot
from nlb_search.search.workers.shutdown import Stop

def write_line(text):
    os.write(1, f"{text}\\n".encode())  # in one piece: with PYTHONUNBUFFERED, print writes the line's end separately

def variables(_):
    return os.environ["MINE"], "PYTHONSAFEPATH" in os.environ

def until_asked_to_exit(_):
    write_line("started")
    until = time.monotonic() + 60
    while not exit_requested() and time.monotonic() < until:
        time.sleep(0.05)
    write_line("asked to exit" if exit_requested() else "forgotten")

def results(run):
    slots, stop = [Slot(0, None), Slot(1, None)], Stop().listen()
    return [result for _, result in run_in_slots(run, range(2), slots, stop, group_of=lambda job: job)]

if __name__ == "__main__":
    if sys.argv[1] == "variables":
        for os.environ["MINE"] in ("first", "second"):
            print(sorted(results(variables)))
    else:
        results(until_asked_to_exit)
"""


def _start(folder: Path, what: str) -> "subprocess.Popen[str]":
    """Start the program in a folder with files named like packages, as a user's folder may contain."""
    (folder / "program.py").write_text(PROGRAM)
    work = folder / "work"
    work.mkdir()
    for name in ("torch", "numpy", "optuna"):
        (work / f"{name}.py").write_text("raise RuntimeError('a file of the user')")
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[3])}
    return subprocess.Popen(
        [sys.executable, folder / "program.py", what],
        cwd=work,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def test_they_have_the_environment_of_the_call(tmp_path: Path) -> None:
    """Neither that of an earlier call, nor modules of the working directory."""
    out, err = _start(tmp_path, "variables").communicate(timeout=100)
    assert out.splitlines() == [str([("first", False)] * 2), str([("second", False)] * 2)], err


def test_ctrl_c_lets_them_end_in_order(tmp_path: Path) -> None:
    """A terminal sends Ctrl-C to all processes of a command."""
    program = _start(tmp_path, "until-asked")
    assert program.stdout is not None
    assert [program.stdout.readline() for _ in range(2)] == ["started\n"] * 2
    os.killpg(program.pid, signal.SIGINT)
    out, err = program.communicate(timeout=100)
    assert (out, err, program.returncode) == ("asked to exit\n" * 2, "", 0)
