"""The command lines of README and docs run as they are written, in the order in which a reader meets them."""

import shlex
from collections.abc import Callable
from pathlib import Path

import pytest

from nlb_search.data.synthesis import SynthesisOptions, synthesize
from tests.helpers.processes.command import Outcome, call
from tests.test_documentation_commands import PAGES, command_lines
from tests.test_recordings_page import task_session, write_session

SHORTER = {
    "synthesize": ("--trials", "40", "--neurons", "12"),
    "launch": ("--trials", "1", "--epochs", "1", "--workers", "0"),
    "export-best": ("--workers", "1"),
    "rescore": ("--splits", "2", "--workers", "1"),
}
"""Options after those of a line, which override them to save time."""

SMALL = SynthesisOptions(n_trials=40, n_neurons=12)

ELSEWHERE = {
    "nlb-search fetch": "needs DANDI: tests/data/dandi and test_fetched.py fetch from a server of their own",
    "nlb-search dashboard": "does not end: tests/browser",
    "--on slurm": "needs Slurm: test_slurm.py",
    "postgresql://lab@": "an example of a server: tests/storage",
    "--storage postgres-local:": "starts a server: test_local_postgres.py",
    "mylab.models": "a reader's own module: test_own_model_search.py",
    "--stream": "reads lines until its input ends: test_line_stream.py",
    "STUDY": "a placeholder",
}
"""Parts of lines that are not run here, with the reason. recordings.md has a test of its own."""


def searching(folder: Path) -> None:
    """What the pages for one machine suppose: other studies, and files that the reader has."""
    for name, seed in (("session", 0), ("next-session", 1)):
        write_session(folder / f"{name}.nwb", task_session(seed))
    for study, options in {
        "rtt": ("--dataset", "mc_rtt"),
        "other": ("--dataset", "mc_maze_small"),
        "rat": ("--dataset", "my_session", "--data", "session.nwb", "--split-column", "split"),
    }.items():
        run(shlex.join(["nlb-search", "launch", study, *options, "--arch", "rnnf"]), folder)
    (folder / "trials.csv").write_text("lr,hidden\n0.01,64\n0.02,\n")


ONE_MACHINE = (
    *("first-search", "benchmark", "README", "guide", "dashboard", "comparing"),
    *("spaces", "overfitting", "models", "faults", "gpu"),
)
WALKS: dict[str, tuple[tuple[str, ...], Callable[[Path], None]]] = {
    "one machine": (ONE_MACHINE, searching),
    "many machines": (("clusters", "storage"), lambda _folder: None),
}
"""Pages whose lines are run one after another in one folder, and what they need beside the first line's recording."""


def runnable(pages: tuple[str, ...]) -> list[str]:
    """The lines of these pages that can run here, in their order, each one once."""
    of_page = {page.stem: command_lines(page) for page in PAGES}
    lines = dict.fromkeys(line for stem in pages for line in of_page[stem])
    return [line for line in lines if not any(part in line for part in ELSEWHERE)]


def run(line: str, folder: Path) -> Outcome:
    """Run a line; searches have one short trial, in this process."""
    command, *options = shlex.split(line, comments=True)[1:]
    done = call(command, *options, *SHORTER.get(command, ()), cwd=folder)
    return call("worker", options[0], cwd=folder) if command == "launch" and done.code == 0 else done


def test_every_line_is_run_or_tested_elsewhere() -> None:
    walked = {stem for pages, _ in WALKS.values() for stem in pages}
    others = tuple(page.stem for page in PAGES if page.stem not in walked and page.stem != "recordings")
    assert runnable(others) == []


@pytest.mark.parametrize("walk", WALKS)
def test_commands_run_as_they_are_written(walk: str, tmp_path: Path) -> None:
    pages, prepare = WALKS[walk]
    synthesize("mc_maze_small", tmp_path / "nlb-data", SMALL)
    for number, line in enumerate(runnable(pages)):
        if number == 1:
            prepare(tmp_path)
        ran = run(line, tmp_path)
        assert ran.code == 0, (line, ran.err)
