"""The live view of a search."""

import io
from datetime import timedelta

from rich.console import Console
from specifications import spec_of

from nlb_search.search.launching.progress import Pace, render, sparkline
from nlb_search.search.study.status import BestTrial, StudyStatus
from nlb_search.storage.study_commands import StudyCommand


def _status(complete: int) -> StudyStatus:
    states = {"running": 0, "complete": complete, "pruned": 1, "fail": 2, "waiting": 0}
    best, scores = BestTrial(0, 0.25, {}, {}), (0.1, 0.1, 0.2, 0.25)
    spec = spec_of(trials=5)
    return StudyStatus(
        "study", spec, 5, states, best, {}, scores, None, False, (), ("out of memory " * 20,), StudyCommand.WORK
    )


def _lines(status: StudyStatus) -> list[str]:
    console = Console(file=io.StringIO(), width=80)
    console.print(render(status, Pace()))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue().splitlines()


def test_live_view_fits_80_columns_and_shows_best_scores_and_failures() -> None:
    lines = _lines(_status(3))
    text = " ".join(" ".join(lines).split())
    assert max(map(len, lines)) <= 80
    assert "3 complete, 1 pruned, 2 failed" in text
    assert "estimating time left" in text
    assert "▁▁▆█" in text
    assert "last failure out of memory" in text


def test_finished_search_does_not_estimate_the_time_left() -> None:
    text = " ".join(_lines(_status(4)))
    assert "finished" in text
    assert "left" not in text
    assert Pace().elapsed() < timedelta(seconds=5)


def test_sparkline_keeps_the_last_value_and_its_width() -> None:
    assert sparkline([float(n) for n in range(1000)], width=30)[-1] == "█"
    assert len(sparkline([0.0] * 1000, width=30)) <= 30
