"""Progress of networks that are retrained."""

import io
import logging

import pytest
from rich.console import Console

from nlb_search.search.cli.refit_progress import shown_progress


def test_a_terminal_shows_a_bar_with_the_networks_done() -> None:
    terminal = Console(file=io.StringIO(), force_terminal=True, width=100)
    with shown_progress(terminal) as progress:
        for done in range(4):
            progress(done, 3)
    assert isinstance(terminal.file, io.StringIO)
    assert "3/3" in terminal.file.getvalue()


def test_without_a_terminal_few_lines_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO), shown_progress(Console(file=io.StringIO())) as progress:
        for done in range(101):
            progress(done, 100)
    assert caplog.messages == [f"retraining on train + val: {done} of 100 networks done" for done in (0, 100)]
