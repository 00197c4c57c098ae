"""Progress of a search in a notebook: one output that is updated in place."""

import html
import sys
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from rich.console import Console

from nlb_search.search.launching.progress import ProgressDisplay, display_for, headline
from nlb_search.search.study.status import StudyStatus


class NotebookDisplay:
    """Shows the study's headline with a bar, and its running trials."""

    def __init__(self) -> None:
        from IPython.display import DisplayHandle

        self._handle = DisplayHandle()
        self._shown: dict[str, Any] = {}

    def update(self, status: StudyStatus) -> None:
        """Show the current status, if it has changed."""
        lines = [headline(status), *_running(status)]
        shown = {"text/plain": "\n".join(lines), "text/html": _as_html(status, lines)}
        if shown != self._shown:
            show = self._handle.update if self._shown else self._handle.display
            show(shown, raw=True)
            self._shown = shown


def progress_display() -> AbstractContextManager[ProgressDisplay]:
    """The display of a notebook, and elsewhere that of ``launch``: a live table on a terminal, or lines in the log."""
    return nullcontext(NotebookDisplay()) if _is_notebook() else display_for(Console(stderr=True))


def _is_notebook() -> bool:
    ipython = sys.modules.get("IPython")  # not imported outside of IPython
    shell = None if ipython is None else ipython.get_ipython()
    return shell is not None and hasattr(shell, "kernel")


def _running(status: StudyStatus) -> list[str]:
    return [
        f"trial {at.trial}: epoch {at.epoch} of {status.spec.epochs}"
        + ("" if at.co_bps is None else f", co-bps {at.co_bps:.4f}")
        for at in status.workers
        if at.worker is not None
    ]


def _as_html(status: StudyStatus, lines: list[str]) -> str:
    bar = f"<progress value='{status.finished}' max='{status.budget}'></progress>"
    return f"<div>{bar} {'<br>'.join(map(html.escape, lines))}</div>"
