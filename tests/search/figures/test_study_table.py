"""What ``status`` prints about the best trial of a study."""

import io

import pytest
from rich.console import Console

from nlb_search.search.figures.study_table import report
from nlb_search.search.networks.ties import Ties
from nlb_search.search.study.status import BestTrial, StudyStatus
from nlb_search.storage.study_commands import StudyCommand
from tests.helpers.specifications import spec_of


def _printed(epochs: int, best_epoch: int) -> str:
    facts = {"best_epoch": best_epoch, "n_parameters": 154948, "memory_mb": 310, "seconds": 71.2, "note": "mine"}
    best = BestTrial(0, 0.25, {"lr": 0.01}, facts)
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


def test_facts_have_names_and_units() -> None:
    rows = [" ".join(line.split()) for line in _printed(epochs=12, best_epoch=3).splitlines()]
    expected = ("best epoch 3 of 12", "parameters 154,948", "memory 0.3 GB at the start", "training time 0:01:11")
    assert {*expected, "note mine", "lr 0.01", "search wide space, tpe sampler, no pruner, seed 0"} <= set(rows)
