"""How a search comes along, for the person at the terminal or for a log file."""

import logging
import time
from datetime import timedelta
from typing import Protocol, Self

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from nlb_search.search.study.status import Standing
from nlb_search.storage.study_commands import Order

LINE_SECONDS = 10.0
"""Without a terminal, a line is written when a trial finishes, but not more often than this."""

_log = logging.getLogger(__name__)


class Show(Protocol):
    """Where a launcher shows its study."""

    def update(self, standing: Standing) -> None:
        """Show where the study stands now; called about once a second."""


class Pace:
    """How fast trials finish, and so how long the rest will take."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._finished_before: int | None = None

    def elapsed(self) -> timedelta:
        return timedelta(seconds=round(time.monotonic() - self._began))

    def left(self, standing: Standing) -> timedelta | None:
        """The time until the budget is met at the pace so far, or None before the first trial finished."""
        if self._finished_before is None:
            self._finished_before = standing.finished
        done = standing.finished - self._finished_before
        if not done:
            return None
        seconds_per_trial = (time.monotonic() - self._began) / done
        return timedelta(seconds=round(seconds_per_trial * (standing.spec.trials - standing.finished)))


class LiveShow:
    """A table that stays in place: the budget, the best trial, and what each worker does."""

    def __init__(self, console: Console) -> None:
        self._live = Live(console=console, refresh_per_second=4)
        self._pace = Pace()

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._live.stop()

    def update(self, standing: Standing) -> None:
        self._live.update(render(standing, self._pace))


class LineShow:
    """A line in the log whenever trials have finished."""

    def __init__(self) -> None:
        self._pace = Pace()
        self._shown: int | None = None
        self._shown_at = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        pass

    def update(self, standing: Standing) -> None:
        left = self._pace.left(standing)
        done = standing.finished == standing.spec.trials
        if standing.finished == self._shown or (time.monotonic() - self._shown_at < LINE_SECONDS and not done):
            return
        self._shown, self._shown_at = standing.finished, time.monotonic()
        _log.info("%s%s", headline(standing), f", about {left} left" if left else "")


def show_for(console: Console) -> LiveShow | LineShow:
    """The live table on a terminal, lines anywhere else."""
    return LiveShow(console) if console.is_terminal else LineShow()


def headline(standing: Standing) -> str:
    """A study in one line."""
    states, order = standing.states, standing.order
    failed = f", {states['fail']} failed" if states["fail"] else ""
    best = f"best co-bps {standing.best.value:.4f} (trial {standing.best.number})" if standing.best else "no score yet"
    return (
        f"{standing.study}: {standing.finished} of {standing.spec.trials} trials "
        f"({states['complete']} complete, {states['pruned']} pruned{failed}), {best}"
        f"{'' if order is Order.WORK else f'; asked to {order}'}"
    )


def render(standing: Standing, pace: Pace) -> Group:
    """The study as Rich draws it."""
    left = pace.left(standing)
    summary = Table.grid(padding=(0, 2))
    summary.add_row(
        ProgressBar(total=standing.spec.trials, completed=standing.finished, width=30),
        Text(f"{pace.elapsed()} so far, {f'about {left} left' if left else 'time left not known yet'}"),
    )
    table = Table("worker", "trial", "epoch", "co-bps", box=None, header_style="bold")
    for at in standing.workers:
        score = "" if at.co_bps is None else f"{at.co_bps:.4f}"
        table.add_row(str(at.worker or "gone"), str(at.trial), f"{at.epoch} of {standing.spec.epochs}", score)
    return Group(Text(headline(standing), style="bold"), summary, table)
