"""Long lines on a terminal, and in a pipe."""

import pytest
from rich.console import Console

from nlb_search.search.cli import terminal
from nlb_search.search.cli.terminal import print_line

LINE = "ok   storage      sqlite:////lab/studies.db answers, sqlite 3.40.1"


def test_terminal_breaks_lines_between_words(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(terminal, "OUTPUT", Console(force_terminal=True, width=54))
    print_line(LINE, indent=18)
    assert capsys.readouterr().out.splitlines() == [
        "ok   storage      sqlite:////lab/studies.db answers,",
        "                  sqlite 3.40.1",
    ]


def test_pipe_has_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(terminal, "OUTPUT", Console(force_terminal=False, width=54))
    print_line(LINE, indent=18)
    assert capsys.readouterr().out == f"{LINE}\n"
