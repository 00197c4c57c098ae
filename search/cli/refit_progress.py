"""Progress of networks that are retrained: a bar on a terminal, otherwise lines in the log."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

if TYPE_CHECKING:
    from nlb_search.search.ensembles.refit_progress import RefitProgress


@contextmanager
def shown_progress(console: Console) -> "Iterator[RefitProgress]":
    """A context that shows progress. Yields the function to report it with."""
    from nlb_search.search.ensembles.refit_progress import LoggedProgress

    if not console.is_terminal:
        yield LoggedProgress()
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    bars = Progress(*columns, console=console)
    tasks: list[TaskID] = []

    def show(done: int, total: int) -> None:
        bars.start()
        if done == 0:
            tasks.append(bars.add_task("retraining networks on train + val", total=total))
        bars.update(tasks[-1], completed=done)

    try:
        yield show
    finally:
        bars.stop()
