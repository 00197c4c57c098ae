"""Every command's help ends with an example that the command line accepts."""

import os
import shlex
import subprocess
import sys

import pytest
import typer

from nlb_search.search.cli.app import EXAMPLES, app
from tests.helpers.processes.command import call


@pytest.mark.parametrize("example", EXAMPLES.values())
def test_help_ends_with_a_valid_example(example: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    _program, name, *arguments = shlex.split(example)
    command = typer.main.get_command(app).commands[name]  # type: ignore[attr-defined]
    command.make_context(name, arguments)  # raises for an unknown option or a missing argument
    shown = call(name, "--help", cwd=tmp_path_factory.getbasetemp())
    assert " ".join(shown.out.split()).endswith(f"Example: {example}")


def test_version_is_printed(tmp_path_factory: pytest.TempPathFactory) -> None:
    shown = call("--version", cwd=tmp_path_factory.getbasetemp())
    assert (shown.code, shown.out.split()[0]) == (0, "nlb-search")


def test_bash_completes_commands_and_options() -> None:
    def completed(words: str) -> list[str]:
        variables = {
            "_NLB_SEARCH_COMPLETE": "complete_bash",
            "COMP_WORDS": words,
            "COMP_CWORD": str(len(words.split()) - 1),
        }
        # As the installed command, whose name the variable has.
        code = "import sys; sys.argv[0] = 'nlb-search'; from nlb_search.__main__ import main; main()"
        command = [sys.executable, "-P", "-c", code]
        done = subprocess.run(command, env=os.environ | variables, capture_output=True, text=True, check=True)
        return done.stdout.split()

    assert completed("nlb-search prune") == ["prune-checkpoints"]
    assert completed("nlb-search launch maze --sam") == ["--sampler"]
