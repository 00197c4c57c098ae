"""Progress of downloads: a bar per file on a terminal."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

if TYPE_CHECKING:
    from nlb_search.data.dandi import fetching


def show(steps: "Iterable[fetching.Progress]", console: Console) -> None:
    """Consume ``steps`` and show the progress of each file if the console is a terminal."""
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as bars:
        tasks: dict[Path, TaskID] = {}
        for step in steps:
            if step.file not in tasks:
                tasks[step.file] = bars.add_task(step.file.name, total=step.size, completed=step.done)
            bars.update(tasks[step.file], completed=step.done)
