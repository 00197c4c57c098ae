"""The command lines of the documentation are accepted: their commands, options and arguments exist."""

import re
import shlex
from pathlib import Path

import pytest
import typer

from nlb_search.search.cli.app import app

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]

COMMANDS = typer.main.get_command(app).commands  # type: ignore[attr-defined]


def command_lines(page: Path) -> list[str]:
    """The lines of blocks of code that run nlb-search, with lines that end in a backslash joined, and those in the text
    that have arguments.
    """
    text = page.read_text()
    blocks = re.findall(r"^```\w*\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE)
    in_blocks = [line for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    in_text = re.findall(r"`(nlb-search [^`]+)`", re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE))
    lines = [line.strip() for line in [*in_blocks, *in_text]]
    return [line for line in lines if re.match(r"nlb-search [a-z][a-z-]+ [^=]", line) and "..." not in line]


EXAMPLES = [pytest.param(line, id=f"{page.name}: {line[:60]}") for page in PAGES for line in command_lines(page)]


@pytest.mark.parametrize("line", EXAMPLES)
def test_command_line_is_accepted(line: str) -> None:
    _program, name, *words = shlex.split(line, comments=True)
    assert name in COMMANDS
    COMMANDS[name].make_context(name, words)  # raises for an unknown option or a missing argument


def test_lines_are_found_in_every_kind_of_page() -> None:
    assert len(EXAMPLES) > 40
    assert any(" --bin-size 20" in str(line.values) and "\\" not in str(line.values) for line in EXAMPLES)
