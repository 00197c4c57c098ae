"""How files come along that are fetched: a bar for each on a terminal, nothing but the rooms' own words elsewhere."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

if TYPE_CHECKING:
    from nlb_search.data.dandi import fetching


def show(steps: "Iterable[fetching.Progress]", console: Console) -> None:
    """Go through ``steps``, and show on a terminal how far each file is."""
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as bars:
        tasks: dict[Path, TaskID] = {}
        for step in steps:
            if step.file not in tasks:
                tasks[step.file] = bars.add_task(step.file.name, total=step.size, completed=step.done)
            bars.update(tasks[step.file], completed=step.done)
