"""Networks of pruned trials: saved when a trial is pruned, and exported by number or in an ensemble."""

import json
from pathlib import Path

import pytest
import torch
from optuna.trial import TrialState

from nlb_search.search.ensembles.loaded_trial import load_trial
from nlb_search.search.ensembles.trial_selection import Selection, select
from nlb_search.search.export_options import AUTO
from nlb_search.search.networks.saved_networks import load_rates, trials_with_networks
from nlb_search.search.recording_tensors import counts_of
from nlb_search.search.study.open_study import Locations, OpenStudy, open_named_study
from nlb_search.search.trials.trial_scores import network_score
from nlb_search.storage.checkpoints import load_checkpoint, save_checkpoint
from nlb_search.storage.database.urls import parse_url
from tests.helpers.processes.command import call, search


@pytest.fixture(scope="module")
def folder(recordings: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a study in which trials are pruned after their first epoch."""
    folder = tmp_path_factory.mktemp("pruned")
    search(
        *("study", "--dataset", "mc_rtt", "--arch", "FF -> exp", "--trials", "12", "--epochs", "6"),
        *("--sampler", "random", "--pruner", "halving"),
        data=recordings,
        cwd=folder,
    )
    return folder


@pytest.fixture
def study(folder: Path, recordings: Path) -> OpenStudy:
    url = parse_url(f"sqlite:///{folder}/nlb-search.db")
    return open_named_study(Locations(url, folder / "nlb-search.db.artifacts", recordings), "study")


def test_every_finished_trial_has_a_network_with_its_best_score(study: OpenStudy) -> None:
    trials = trials_with_networks(study)
    assert len(trials) == 12
    assert {trial.state for trial in trials} == {TrialState.COMPLETE, TrialState.PRUNED}
    scores = [network_score(trial) for trial in trials]
    assert scores == sorted(scores, reverse=True)
    assert scores == [max(trial.intermediate_values.values()) for trial in trials]


def test_a_pruned_trial_can_be_exported_and_scores_as_in_the_search(
    folder: Path, study: OpenStudy, recordings: Path
) -> None:
    pruned = next(trial for trial in trials_with_networks(study) if trial.state == TrialState.PRUNED)
    wrote = call(
        *("export-best", "study", "--out", "x.h5", "--trial", str(pruned.number), "--data", recordings), cwd=folder
    )
    assert wrote.code == 0, wrote.err
    scores = call("evaluate", "x.h5", "--dataset", "mc_rtt", "--json", "--data", recordings, cwd=folder).json
    assert scores["mc_rtt"]["co-bps"] == pytest.approx(network_score(pruned), abs=1e-4)


def test_an_ensemble_is_selected_from_pruned_trials_too(study: OpenStudy) -> None:
    assert [one.trial for one in select([study], Selection(AUTO))] == trials_with_networks(study)
    complete = select([study], Selection(2))
    assert {one.trial.state for one in complete} == {TrialState.COMPLETE}


def test_an_ensemble_from_stored_rates_is_that_from_the_networks(
    folder: Path, study: OpenStudy, recordings: Path
) -> None:
    """Trials of versions before 0.8.0 have no stored rates."""
    val = counts_of(study.recording().val)
    from_rates = _weights_of_ensemble(folder, recordings)
    for trial in trials_with_networks(study):
        rates_BTN = load_trial(study, trial).rates(val.heldin_BWI)
        of_heldout = rates_BTN[:, : val.sizes.n_window, val.sizes.n_heldin :]
        stored = load_rates(study, trial)
        torch.testing.assert_close(stored, of_heldout, rtol=2**-11, atol=1e-7)
        checkpoint = load_checkpoint(study.checkpoints.best(trial.number))
        del checkpoint.tensors["rates_BTN"]
        save_checkpoint(study.checkpoints.best(trial.number), checkpoint)
        assert load_rates(study, trial) is None
    # Stored rates have half precision: nearly equal candidates may be picked once more or less.
    assert _weights_of_ensemble(folder, recordings) == pytest.approx(from_rates, abs=0.02)


def _weights_of_ensemble(folder: Path, recordings: Path) -> dict[int, float]:
    """The trials that ``--ensemble auto`` selects, with their weights."""
    wrote = call("export-best", "study", "--out", "x.h5", "--ensemble", "auto", "--data", recordings, cwd=folder)
    assert wrote.code == 0, wrote.err
    [dataset] = json.loads((folder / "x.h5.card.json").read_text())["datasets"]
    return {member["trial"]: member["weight"] for member in dataset["members"]}


def test_a_pruned_trial_whose_network_is_gone_is_left_out(folder: Path, study: OpenStudy, recordings: Path) -> None:
    pruned = [trial.number for trial in trials_with_networks(study) if trial.state == TrialState.PRUNED][-1]
    study.checkpoints.best(pruned).unlink()
    assert pruned not in [trial.number for trial in trials_with_networks(study)]
    rejected = call("export-best", "study", "--out", "no.h5", "--trial", pruned, "--data", recordings, cwd=folder)
    assert rejected.code == 1
    assert f"no network for trial {pruned}" in rejected.err
