"""The live view of a search, for Rich. It fits a terminal of 80 columns."""

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime

from rich.console import Group
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from nlb_search.search.launching.pace import Pace, in_words, range_in_words
from nlb_search.search.launching.pareto_table import pareto_table
from nlb_search.search.study.status import RunningTrial, StudyStatus
from nlb_search.storage.study_commands import StudyCommand

_BLOCKS = "▁▂▃▄▅▆▇█"

MAX_REASONS = 3
"""Number of reasons of failures that are shown, most frequent first."""

MOST_IN_FRONT = 5
"""Number of trials of the Pareto front that are shown."""


def render(status: StudyStatus, pace: Pace) -> Group:
    """Budget, best trial, counts with reasons, the last trials, the Pareto front, and the workers."""
    bar = Table.grid(padding=(0, 2))
    bar.add_row(
        ProgressBar(total=status.budget, completed=min(status.finished, status.budget), width=24),
        Text(f"{status.finished} of {status.budget} trials"),
        Text(f"{in_words(_seconds_since(status.began))} so far, {_rest(status, pace)}"),
    )
    facts = Table.grid(padding=(0, 2))
    for name, text in _facts(status):
        facts.add_row(Text(name, style="red" if name == "failed" else ""), Text(text))
    title = f"{status.study}: {status.spec.dataset}, {status.spec.bin_ms} ms bins"
    asked = "" if status.command is StudyCommand.WORK else f"; asked to {status.command}"
    tables = [pareto_table(status, MOST_IN_FRONT)] if status.spec.has_own_objectives and status.front else []
    tables += [_workers(status)] if status.workers else []
    return Group(Text(title + asked, style="bold"), bar, facts, *tables)


def sparkline(values: Sequence[float], width: int = 30) -> str:
    """Values as one line of blocks. If there are more than ``width`` values, some are left out evenly."""
    step = max(1, math.ceil(len(values) / width))
    shown = values[::-1][::step][::-1]  # the last value is always shown
    low, high = min(shown), max(shown)
    scale = (len(_BLOCKS) - 1) / (high - low) if high > low else 0
    return "".join(_BLOCKS[round((value - low) * scale)] for value in shown)


def _facts(status: StudyStatus) -> Iterator[tuple[str, str]]:
    best, states = status.best, status.states
    if best is None:
        yield "best", "no complete trial yet"
    else:
        found = status.best_found
        ago = "" if found is None else f", found {in_words(_seconds_since(found))} ago"
        yield "best", f"co-bps {best.value:.4f} (trial {best.number}{ago})"
    if len(set(status.best_scores)) > 1:
        yield "", f"{sparkline(status.best_scores)} after each complete trial"
    diverged = f"; {status.n_diverged} of them diverged" if status.n_diverged else ""
    yield "trials", f"{states['complete']} complete, {states['pruned']} pruned, {states['fail']} failed{diverged}"
    for reason, count in Counter(status.failures).most_common(MAX_REASONS):
        yield "failed", f"{count} x {reason}"
    if status.last_ended:
        yield (
            "last",
            ", ".join(
                f"{trial.number} {trial.state}{'' if trial.co_bps is None else f' {trial.co_bps:.4f}'}"
                for trial in status.last_ended
            ),
        )


def _workers(status: StudyStatus) -> Table:
    """The running trials, with their chains if there are several."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("worker", max_width=20)
    for name in ("device", "memory", "trial", "epoch", "co-bps"):
        table.add_column(name, no_wrap=True)
    has_chains = len(status.spec.architectures) > 1
    if has_chains:
        table.add_column("chain")
    for at in status.workers:
        worker = "none" if at.worker is None else f"{at.worker.host.partition('.')[0]}:{at.worker.pid}"
        chain = [_cut(at.architecture)] if has_chains else []
        table.add_row(_cut(worker), *_cells(at, status.spec.epochs), *chain)
    return table


def _cells(at: RunningTrial, epochs: int) -> tuple[str, ...]:
    return (
        at.device or "",
        "" if at.memory_mb is None else f"{at.memory_mb / 1000:.1f} GB",
        str(at.trial),
        f"{at.epoch}/{epochs}",
        "" if at.co_bps is None else f"{at.co_bps:.4f}",
    )


def _cut(text: str) -> Text:
    """Text truncated to the width of its column."""
    return Text(text, no_wrap=True, overflow="ellipsis")


def _seconds_since(time: datetime | None) -> float:
    """Seconds since a local time, which a clock that was set back does not make negative; 0 if there is none yet."""
    return 0.0 if time is None else max(0.0, (datetime.now() - time).total_seconds())


def _rest(status: StudyStatus, pace: Pace) -> str:
    if status.is_finished:
        return "finished"
    left = pace.left(status)
    return "estimating time left" if left is None else f"{range_in_words(left)} left"
