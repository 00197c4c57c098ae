"""Progress of a search: a live table on a terminal, or lines in a log file."""

import logging
import math
import time
from collections.abc import Sequence
from datetime import timedelta
from typing import Protocol, Self

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from nlb_search.search.study.status import StudyStatus
from nlb_search.storage.study_commands import StudyCommand

_BLOCKS = "▁▂▃▄▅▆▇█"

LINE_SECONDS = 10.0
"""Minimum time between two lines without a terminal. A line is written when a trial finishes."""

_log = logging.getLogger(__name__)


class ProgressDisplay(Protocol):
    """Displays the progress of a launcher's study."""

    def update(self, status: StudyStatus) -> None:
        """Show the current status; called about once per second."""


class Pace:
    """Estimates the remaining time from the rate at which trials finish."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._finished_before: int | None = None

    def elapsed(self) -> timedelta:
        """Time since the start, in whole seconds."""
        return timedelta(seconds=round(time.monotonic() - self._began))

    def left(self, status: StudyStatus) -> timedelta | None:
        """Estimated time until the budget is met, or None before the first trial has finished."""
        if self._finished_before is None:
            self._finished_before = status.finished
        done = status.finished - self._finished_before
        if not done:
            return None
        seconds_per_trial = (time.monotonic() - self._began) / done
        return timedelta(seconds=round(seconds_per_trial * (status.budget - status.finished)))


class LiveDisplay:
    """A table that is updated in place: the budget, the best trial, and the running trials."""

    def __init__(self, console: Console) -> None:
        self._live = Live(console=console, refresh_per_second=4)
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
        _log.info("%s%s", headline(status), f", about {left} left" if left else "")


def display_for(console: Console) -> LiveDisplay | LineDisplay:
    """The live table on a terminal, otherwise lines."""
    return LiveDisplay(console) if console.is_terminal else LineDisplay()


def headline(status: StudyStatus) -> str:
    """The status of a study in one line."""
    states, command = status.states, status.command
    failed = f", {states['fail']} failed" if states["fail"] else ""
    best = f"best co-bps {status.best.value:.4f} (trial {status.best.number})" if status.best else "no score yet"
    return (
        f"{status.study}: {status.finished} of {status.budget} trials "
        f"({states['complete']} complete, {states['pruned']} pruned{failed}), {best}"
        f"{'' if command is StudyCommand.WORK else f'; asked to {command}'}"
    )


def render(status: StudyStatus, pace: Pace) -> Group:
    """The live table, for Rich."""
    summary = Table.grid(padding=(0, 2))
    bar = ProgressBar(total=status.budget, completed=status.finished, width=30)
    summary.add_row(bar, Text(f"{pace.elapsed()} so far, {_rest(status, pace)}"))
    if len(set(status.best_scores)) > 1:
        summary.add_row(Text(sparkline(status.best_scores)), Text("best co-bps after each complete trial"))
    if status.failures:
        summary.add_row(Text("last failure", style="red"), Text(status.failures[-1]))
    table = Table("worker", "trial", "epoch", "co-bps", box=None, header_style="bold")
    for at in status.workers:
        score = "" if at.co_bps is None else f"{at.co_bps:.4f}"
        table.add_row(str(at.worker or "none"), str(at.trial), f"{at.epoch} of {status.spec.epochs}", score)
    return Group(Text(headline(status), style="bold"), summary, *([table] if status.workers else []))


def _rest(status: StudyStatus, pace: Pace) -> str:
    if status.is_finished:
        return "finished"
    left = pace.left(status)
    return "estimating time left" if left is None else f"about {left} left"


def sparkline(values: Sequence[float], width: int = 30) -> str:
    """The course of some values in one line of blocks; of more than ``width`` values, some are left out evenly."""
    step = max(1, math.ceil(len(values) / width))
    shown = values[::-1][::step][::-1]  # the last value is always shown
    low, high = min(shown), max(shown)
    scale = (len(_BLOCKS) - 1) / (high - low) if high > low else 0
    return "".join(_BLOCKS[round((value - low) * scale)] for value in shown)
