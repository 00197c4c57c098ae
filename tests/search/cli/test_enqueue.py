"""`enqueue`: trials with settings of the user's choice."""

import json
from pathlib import Path
from typing import Any

import pytest

from nlb_search.search.study.open_study import Locations, open_named_study
from nlb_search.storage.database.urls import parse_url
from tests.helpers.processes.command import call, search

CHAINS = ("--arch", "FF -> exp", "--arch", "rnnf")
SMALL = ("--dataset", "mc_rtt", "--epochs", "1", "--pruner", "none")


@pytest.fixture
def folder(recordings: Path, tmp_path: Path) -> Path:
    """A folder with a study of two chains without workers. Of its five trials, four have the settings to begin with."""
    made = call("launch", "s", *SMALL, *CHAINS, "--trials", "5", "--workers", "0", "--data", recordings, cwd=tmp_path)
    assert made.code == 0, made.err
    return tmp_path


def _trials(folder: Path, study: str = "s") -> list[Any]:
    locations = Locations(parse_url(f"sqlite:///{folder}/nlb-search.db"), folder, folder)
    return open_named_study(locations, study).study.get_trials()


def test_enqueued_trials_run_next_with_their_settings(folder: Path, recordings: Path) -> None:
    one = ("--set", "lr=0.011", "--set", "hidden = 64", "--set", "bidirectional=false", "--set", "architecture=rnnf")
    done = call("enqueue", "s", *one, cwd=folder)
    assert done.code == 0, done.err
    assert done.out == "enqueued 1 trial in 's'\n"
    (folder / "more.csv").write_text("lr,l2_weight,mask_variant\n0.02,0,dot line\n0.001,,strip\n")
    added = call("enqueue", "s", "--file", "more.csv", cwd=folder)
    assert "enqueued 2 trials" in added.out
    assert "`nlb-search resume s --trials 7`" in added.out

    assert call("worker", "s", "--data", recordings, cwd=folder).code == 0
    status = " ".join(call("status", "s", cwd=folder).out.split())
    assert "2 enqueued trials, more than the budget of 5 trials allows" in status
    assert "`nlb-search resume s --trials 7`" in status
    assert call("resume", "s", "--trials", "7", "--workers", "0", cwd=folder).code == 0
    assert call("worker", "s", "--data", recordings, cwd=folder).code == 0
    assert "waiting" not in call("status", "s", cwd=folder).out

    first, second, third = _trials(folder)[4:]
    chain = {"architecture": "GRU(2) -> FF -> exp"}
    assert first.params.items() >= (chain | {"lr": 0.011, "hidden": 64, "bidirectional": False}).items()
    assert second.params.items() >= {"lr": 0.02, "l2_weight_use": "none", "mask_variant": "dot line"}.items()
    assert third.params.items() >= {"lr": 0.001, "mask_variant": "strip"}.items()
    assert all(trial.value is not None for trial in (first, second, third))


def test_best_settings_of_another_study(folder: Path, recordings: Path) -> None:
    search("old", *SMALL, "--arch", "FF -> exp", "--trials", "4", "--sampler", "random", data=recordings, cwd=folder)
    done = call("enqueue", "s", "--from", "old", "--best", "2", cwd=folder)
    assert done.code == 0, done.err
    best = sorted(_trials(folder, "old"), key=lambda trial: -trial.value)[:2]
    expected = [{"architecture": "FF -> exp"} | trial.params for trial in best]
    assert [trial.system_attrs["fixed_params"] for trial in _trials(folder)[4:]] == expected


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--set", "lr=5"), "lr = 5 is outside the study's space: choose from 0.0005 to 0.03, log-uniform"),
        (("--set", "lr=fast"), "lr must be a number above 0, not 'fast'"),
        (("--set", "hidden=32.5", "--set", "architecture=rnnf"), "hidden must be an integer"),
        (("--set", "learning_rate=0.01"), "the study does not search 'learning_rate': choose from lr, dropout"),
        (("--set", "hidden=64"), "hidden is not used by FF -> exp: remove it, or choose another chain"),
        (("--set", "architecture=GRU(3) -> FF -> exp"), "is not a chain of the study: choose one of FF -> exp; GRU(2)"),
        (("--set", "lr"), "--set lr: pass NAME=VALUE"),
        (("--set", "lr=0.01", "--set", "lr=0.02"), "--set lr is given twice"),
        ((), "pass the settings with one of --set, --file and --from"),
        (("--set", "lr=0.01", "--best", "3"), "--best needs --from"),
        (("--file", "trials.txt"), "neither a .csv nor a .json file"),
        (("--file", "none.csv"), "cannot read the trials in none.csv: No such file"),
        (("--file", "bad.json"), "trial 2 in bad.json: mask_ratio must be a number above 0 and below 1, not 2"),
        (("--file", "cut.csv"), "the row 0.01 has 1 cells, and the header has 2"),
    ],
)
def test_invalid_settings_are_rejected_and_nothing_is_enqueued(
    arguments: tuple[str, ...], says: str, folder: Path
) -> None:
    (folder / "bad.json").write_text(json.dumps([{"lr": 0.01}, {"mask_ratio": 2}]))
    (folder / "cut.csv").write_text("lr,dropout\n0.01\n")
    before = len(_trials(folder))
    rejected = call("enqueue", "s", *arguments, cwd=folder)
    assert rejected.code == 2
    assert says in rejected.err
    assert len(_trials(folder)) == before
