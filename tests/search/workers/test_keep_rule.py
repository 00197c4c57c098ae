"""A study with --keep removes the networks of all but its best trials while it runs."""

from pathlib import Path

from nlb_search.search.networks.saved_networks import trials_with_networks
from nlb_search.search.networks.ties import find_ties
from nlb_search.search.study.open_study import Locations, open_named_study
from nlb_search.search.trials.trial_scores import complete_trials
from nlb_search.storage.database.urls import parse_url
from tests.helpers.processes.command import call, search

KEEP, TRIALS = 2, 8


def test_only_the_best_networks_and_those_tied_with_them_are_kept(recordings: Path, tmp_path: Path) -> None:
    search(
        *("study", "--dataset", "mc_rtt", "--arch", "FF -> exp", "--trials", str(TRIALS), "--epochs", "2"),
        *("--keep", str(KEEP), "--sampler", "random", "--pruner", "none"),
        data=recordings,
        cwd=tmp_path,
    )
    url = parse_url(f"sqlite:///{tmp_path}/nlb-search.db")
    study = open_named_study(Locations(url, tmp_path / "nlb-search.db.artifacts", recordings), "study")
    ranked = [trial.number for trial in complete_trials(study.study)]
    assert len(ranked) == TRIALS
    files = {number for number in ranked if study.checkpoints.best(number).exists()}
    assert files == {trial.number for trial in trials_with_networks(study)}
    assert files == {*ranked[:KEEP], *(find_ties(study).numbers or ())}
    assert len(files) < TRIALS, "the test needs trials that are not tied with the best"
    exported = call("export-best", "study", "--out", "x.h5", "--data", recordings, cwd=tmp_path)
    assert exported.code == 0, exported.err
