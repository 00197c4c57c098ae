"""The live view of a search."""

import io
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from rich.console import Console

from nlb_search.search.launching.live_view import MOST_IN_FRONT, render, sparkline
from nlb_search.search.launching.pace import Pace, in_words, range_in_words
from nlb_search.search.study.pareto_front import FrontTrial
from nlb_search.search.study.status import BestTrial, EndedTrial, RunningTrial, StudyStatus
from nlb_search.storage.claims.owner import Owner
from nlb_search.storage.study_commands import StudyCommand
from tests.helpers.specifications import spec_of

CHAIN = "GRU(2) -> FF -> RoBERTa(1) -> FF -> exp"


def _status(complete: int, budget: int = 5) -> StudyStatus:
    states = {"running": 0, "complete": complete, "pruned": 1, "fail": 2, "waiting": 0}
    best, scores = BestTrial(0, 0.25, {}, {}), (0.1, 0.1, 0.2, 0.25)
    spec = spec_of(trials=budget)
    failures = ("out of memory " * 20, "no space", "out of memory " * 20)
    return StudyStatus(
        study="study",
        spec=spec,
        budget=budget,
        hours_used=0.0,
        budget_hours=None,
        states=states,
        best=best,
        best_of_chains={},
        best_scores=scores,
        expected_gain=None,
        is_flat=False,
        workers=(),
        failures=failures,
        command=StudyCommand.WORK,
    )


def _lines(status: StudyStatus) -> list[str]:
    console = Console(file=io.StringIO(), width=80)
    console.print(render(status, Pace()))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue().splitlines()


def test_live_view_fits_80_columns_and_shows_best_scores_and_failures() -> None:
    found = datetime.now() - timedelta(minutes=12)
    ended = (EndedTrial(9, "pruned", 0.1234), EndedTrial(8, "fail", None))
    lines = _lines(replace(_status(3), best_found=found, n_diverged=1, last_ended=ended))
    text = " ".join(" ".join(lines).split())
    assert max(map(len, lines)) <= 80
    assert "4 of 5 trials" in text
    assert "co-bps 0.2500 (trial 0, found 12 min ago)" in text
    assert "3 complete, 1 pruned, 2 failed; 1 of them diverged" in text
    assert "estimating time left" in text
    assert "▁▁▆█" in text
    assert "2 x out of memory" in text
    assert "1 x no space" in text
    assert "9 pruned 0.1234, 8 fail" in text


def test_workers_fit_80_columns_with_their_chains() -> None:
    worker = Owner("a-host-with-a-rather-long-name.example.org", "machine", 12345, 0.0, "id")
    at = RunningTrial(worker, 12, 30, 0.21, CHAIN, "NVIDIA H200", 5210)
    status = replace(_status(3), workers=(at,), spec=spec_of(trials=5, architectures=("FF -> exp", CHAIN)))
    lines = _lines(status)
    assert max(map(len, lines)) <= 80
    *_, heads, row = lines
    for name, value in {"device": "NVIDIA H200", "memory": "5.2 GB", "trial": "12", "co-bps": "0.2100"}.items():
        assert row[heads.index(name) :].startswith(value), "every value is below its name"
    assert "GRU(2)" in row


def test_front_of_several_objectives_is_shown_and_cut_to_a_few_trials() -> None:
    spec = spec_of(trials=20, objectives=("co-bps", "n-parameters"))
    front = tuple(
        FrontTrial(number, {"co-bps": 0.3 - number / 100, "n-parameters": 9000.0 - number}, CHAIN, 9000 - number)
        for number in range(MOST_IN_FRONT + 2)
    )
    lines = _lines(replace(_status(3), spec=spec, front=front))
    assert max(map(len, lines)) <= 80
    text = " ".join(" ".join(lines).split())
    assert f"Pareto front, {MOST_IN_FRONT} of {len(front)} trials" in text
    assert f"0.2900 {CHAIN} 8,999" in text
    assert "Pareto" not in " ".join(_lines(replace(_status(3), front=front[:1])))


def test_time_so_far_counts_from_the_first_trial() -> None:
    began = datetime.now() - timedelta(hours=5)
    assert "5 h so far" in " ".join(_lines(replace(_status(3), began=began)))


def test_finished_search_does_not_estimate_the_time_left() -> None:
    text = " ".join(_lines(_status(4)))
    assert "finished" in text
    assert "left" not in text
    assert Pace().elapsed() < 5


def test_time_left_is_a_range_that_narrows_with_more_trials(monkeypatch: pytest.MonkeyPatch) -> None:
    def ratio(done: int) -> float:
        pace = Pace()
        pace.left(_status(complete=0, budget=1000))
        monkeypatch.setattr(pace, "elapsed", lambda: 10.0 * done)
        left = pace.left(_status(complete=done, budget=1000))
        assert left is not None
        low, high = left
        assert low < 10.0 * (999 - done) < high
        return high / low

    assert ratio(1) > ratio(10) > ratio(100) > 1
    assert ratio(100) < 1.4


@pytest.mark.parametrize(
    ("seconds", "text"), [(40, "40 s"), (720, "12 min"), (18720, "5.2 h"), (200_000, "2.3 days"), (0, "0 s")]
)
def test_durations_have_one_unit(seconds: float, text: str) -> None:
    assert in_words(seconds) == text


def test_ranges_have_one_unit() -> None:
    assert range_in_words((240, 420)) == "4 to 7 min"
    assert range_in_words((40, 420)) == "0.7 to 7 min"
    assert range_in_words((7200, 7210)) == "about 2 h"


def test_sparkline_keeps_the_last_value_and_its_width() -> None:
    assert sparkline([float(n) for n in range(1000)], width=30)[-1] == "█"
    assert len(sparkline([0.0] * 1000, width=30)) <= 30
