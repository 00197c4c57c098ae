"""What ``status`` prints about the best trial of a study."""

import io

import pytest
from rich.console import Console
from specifications import spec_of

from nlb_search.search.figures.study_table import report
from nlb_search.search.scoring.ties import Ties
from nlb_search.search.study.status import BestTrial, StudyStatus
from nlb_search.storage.study_commands import StudyCommand


def _printed(epochs: int, best_epoch: int) -> str:
    best = BestTrial(0, 0.25, {"lr": 0.01}, {"best_epoch": best_epoch})
    states = {"running": 0, "complete": 1, "pruned": 0, "fail": 0, "waiting": 0}
    spec = spec_of(epochs=epochs)
    status = StudyStatus(
        study="study",
        spec=spec,
        budget=spec.trials,
        hours_used=0.0,
        budget_hours=None,
        states=states,
        best=best,
        best_of_chains={spec.architectures[0]: best},
        best_scores=(),
        expected_gain=None,
        is_flat=False,
        workers=(),
        failures=(),
        command=StudyCommand.WORK,
    )
    console = Console(file=io.StringIO(), width=300)
    console.print(report(status, Ties(())))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@pytest.mark.parametrize(("best_epoch", "advises"), [(12, True), (11, True), (10, False)])
def test_trial_still_improving_at_its_end_is_reported(best_epoch: int, advises: bool) -> None:
    printed = _printed(epochs=12, best_epoch=best_epoch)
    assert f"{best_epoch} of 12" in printed
    assert ("--epochs 36" in printed) == advises
