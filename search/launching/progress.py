"""Progress of a search: a live table on a terminal, or lines in a log file."""

import logging
import time
from typing import Protocol, Self

from rich.console import Console
from rich.live import Live

from nlb_search.search.launching.live_view import render
from nlb_search.search.launching.pace import Pace, range_in_words
from nlb_search.search.study.status import StudyStatus
from nlb_search.storage.study_commands import StudyCommand

LINE_SECONDS = 10.0
"""Minimum time between two lines without a terminal. A line is written when a trial finishes."""

_log = logging.getLogger(__name__)


class ProgressDisplay(Protocol):
    """Displays the progress of a launcher's study."""

    def update(self, status: StudyStatus) -> None:
        """Show the current status; called about once per second."""


class LiveDisplay:
    """A view that is updated in place, and removed at the end: the commands then print the status of the study."""

    def __init__(self, console: Console) -> None:
        self._live = Live(console=console, refresh_per_second=4, transient=True)
        self._pace = Pace()

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._live.stop()

    def update(self, status: StudyStatus) -> None:
        self._live.update(render(status, self._pace))


class LineDisplay:
    """Writes a line to the log when trials have finished."""

    def __init__(self) -> None:
        self._pace = Pace()
        self._shown: int | None = None
        self._shown_at = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        pass

    def update(self, status: StudyStatus) -> None:
        left = self._pace.left(status)
        done = status.finished == status.budget
        if status.finished == self._shown or (time.monotonic() - self._shown_at < LINE_SECONDS and not done):
            return
        self._shown, self._shown_at = status.finished, time.monotonic()
        _log.info("%s%s", headline(status), "" if left is None or done else f", {range_in_words(left)} left")


def display_for(console: Console) -> LiveDisplay | LineDisplay:
    """The live table on a terminal, otherwise lines."""
    return LiveDisplay(console) if console.is_terminal else LineDisplay()


def headline(status: StudyStatus) -> str:
    """The status of a study in one line."""
    states, command = status.states, status.command
    failed = f", {states['fail']} failed" if states["fail"] else ""
    best = f"best co-bps {status.best.value:.4f} (trial {status.best.number})" if status.best else "no score yet"
    front = f", {len(status.front)} on the Pareto front" if status.spec.has_own_objectives else ""
    return (
        f"{status.study}: {status.finished} of {status.budget} trials "
        f"({states['complete']} complete, {states['pruned']} pruned{failed}), {best}{front}"
        f"{'' if command is StudyCommand.WORK else f'; asked to {command}'}"
    )
