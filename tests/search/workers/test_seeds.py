"""Trials with several seeds: one score, one checkpoint and one exported mean of all their networks."""

import multiprocessing
import os
import signal
from pathlib import Path
from statistics import fmean, stdev

import numpy as np
import pytest
import torch
from optuna.trial import FixedTrial, FrozenTrial, TrialState

from nlb_search.models.architecture.network import predict
from nlb_search.models.scoring.bits_per_spike import co_bps
from nlb_search.models.training.trainer import fit, train_through
from nlb_search.models.training.training import Training
from nlb_search.search.creation.study_creation import StudyRequest, create_or_open
from nlb_search.search.ensembles.loaded_trial import load_trial
from nlb_search.search.recording_tensors import counts_of
from nlb_search.search.rescoring.cross_validation import FoldSettings, Job, fold_trials, score_fold
from nlb_search.search.sampling.spaces.trial_parameters import sample
from nlb_search.search.study.open_study import Locations, OpenStudy, open_named_study
from nlb_search.search.workers import trial as trial_module
from nlb_search.search.workers.shutdown import Stop
from nlb_search.search.workers.trial_replicates import split_settings
from nlb_search.search.workers.worker import work
from nlb_search.storage.claims.claim import Claim
from nlb_search.storage.database.urls import parse_url
from tests.helpers.processes.command import call
from tests.helpers.specifications import written

SEEDS, TRIALS, EPOCHS = 3, 3, 4
CPU = torch.device("cpu")


def _made(name: str, recordings: Path, folder: Path, seeds: int = SEEDS) -> OpenStudy:
    locations = Locations(parse_url(f"sqlite:///{folder}/nlb-search.db"), folder / "artifacts", recordings)
    request = StudyRequest(
        dataset="mc_rtt",
        architectures=("GRU(1) -> FF -> exp",),
        trials=TRIALS,
        epochs=EPOCHS,
        seeds=seeds,
        space=written("hidden = [4, 6]\ninput_size = 'DT'\nbidirectional = false\nnum_layers = 1"),
        sampler="random",
        pruner="none",
    )
    return create_or_open(locations, name, request)


@pytest.fixture(scope="module")
def study(recordings: Path, tmp_path_factory: pytest.TempPathFactory) -> OpenStudy:
    """A study whose trials have three networks, after one worker has run them."""
    study = _made("study", recordings, tmp_path_factory.mktemp("seeds"))
    work(study, Stop())
    return study


def _alone(study: OpenStudy, trial: FrozenTrial) -> list[list[float]]:
    """co-bps after each epoch of each network of a trial, trained alone."""
    recording = study.recording()
    train, val = counts_of(recording.train), counts_of(recording.val)
    chain, hyper = split_settings(sample(FixedTrial(trial.params), study.spec.space, study.spec.architectures))
    seeds = [study.spec.network_seed(trial.number, repeat) for repeat in range(SEEDS)]
    trainings = [Training(chain, hyper, study.spec.plan, train, seed, CPU) for seed in seeds]
    return [[evaluation.co_bps for evaluation in fit(training, val)] for training in trainings]


def test_reported_scores_are_means_and_the_spread_is_kept(study: OpenStudy) -> None:
    trials = study.study.get_trials()
    assert [trial.state for trial in trials] == [TrialState.COMPLETE] * TRIALS, "the budget counts trials"
    trial = trials[1]
    curves = _alone(study, trial)
    means = [fmean(scores) for scores in zip(*curves, strict=True)]
    assert list(trial.intermediate_values.values()) == pytest.approx(means, abs=1e-4)
    assert trial.value == max(trial.intermediate_values.values())
    at_best = [curve[trial.user_attrs["best_epoch"] - 1] for curve in curves]
    assert trial.user_attrs["co_bps_seeds"] == pytest.approx(at_best, abs=1e-4)
    assert trial.user_attrs["co_bps_std"] == pytest.approx(stdev(at_best), abs=1e-4)
    assert trial.user_attrs["co_bps_low"] < trial.value < trial.user_attrs["co_bps_high"]


def test_status_shows_the_spread(study: OpenStudy) -> None:
    shown = call("status", "study", "--artifacts", study.locations.artifacts, cwd=study.locations.artifacts.parent)
    best = study.study.best_trial
    scores = ", ".join(f"{score:.4f}" for score in best.user_attrs["co_bps_seeds"])
    assert f"mean of 3 seeds: {scores}" in " ".join(shown.out.split())


def test_export_averages_the_networks_and_its_model_has_all(study: OpenStudy, tmp_path: Path) -> None:
    folder, best = study.locations.artifacts.parent, study.study.best_trial
    wrote = call(
        *("export-best", "study", "--out", tmp_path / "x.h5", "--model", tmp_path / "model"),
        *("--data", study.locations.data, "--artifacts", study.locations.artifacts),
        cwd=folder,
    )
    assert wrote.code == 0, wrote.err
    assert len(list((tmp_path / "model").glob("network-*.safetensors"))) == SEEDS
    scores = call(
        *("evaluate", tmp_path / "x.h5", "--dataset", "mc_rtt", "--json", "--data", study.locations.data), cwd=folder
    )
    loaded, val = load_trial(study, best), counts_of(study.recording().val)
    each = [predict(network, val.heldin_BWI).numpy() for network in loaded.networks]
    assert not np.allclose(each[0], each[1], rtol=1e-3)
    np.testing.assert_allclose(loaded.rates(val.heldin_BWI).numpy(), np.mean(each, axis=0), rtol=1e-5)
    # By Jensen's inequality: the likelihood of the mean rates is at least the mean likelihood.
    assert best.value is not None
    assert scores.json["mc_rtt"]["co-bps"] > best.value


def test_rescoring_averages_the_scores_of_as_many_networks(study: OpenStudy) -> None:
    counts, spec, splits, fold = counts_of(study.recording().train_val), study.spec, 4, 1
    settings = load_trial(study, study.study.best_trial).settings
    folds = list(fold_trials(counts.n_trials, splits, spec.seed))
    scored, rest = counts.of_trials(folds.pop(fold)), counts.of_trials(torch.cat(folds))
    each = []
    for repeat in range(SEEDS):
        chain, hyper = split_settings(settings)
        training = Training(chain, hyper, spec.plan, rest, spec.network_seed(fold, repeat), CPU)
        train_through([training], 2)
        each.append(co_bps(predict(training.averaged_network(), scored.heldin_BWI), scored).item())
    job = Job(number=0, fold=fold, settings=settings, epochs=2)
    found = score_fold(job, FoldSettings(spec, study.locations.data, splits), counts, CPU, lambda: False)
    assert found == pytest.approx(fmean(each), abs=1e-4)


def test_killed_worker_loses_nothing_of_any_seed(
    study: OpenStudy,
    recordings: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    cut = _made("study", recordings, tmp_path)
    report = Claim.report

    def dying(claim: Claim, value: float, epoch: int) -> bool:
        if epoch == 3 and claim.number == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return report(claim, value, epoch)

    def worker() -> None:
        work(open_named_study(cut.locations, "study"), Stop())

    monkeypatch.setattr(trial_module, "CHECKPOINT_SECONDS", 0)
    with monkeypatch.context() as killing:
        killing.setattr(Claim, "report", dying)
        process = multiprocessing.get_context("fork").Process(target=worker)
        process.start()
        process.join(60)
        assert process.exitcode == -signal.SIGKILL
    with caplog.at_level("INFO"):
        work(cut, Stop())
    assert "trial 0 resumes from epoch 3" in caplog.messages
    for trial, whole in zip(cut.study.get_trials(), study.study.get_trials(), strict=True):
        assert trial.intermediate_values == pytest.approx(whole.intermediate_values, abs=1e-5)
        assert trial.user_attrs["co_bps_seeds"] == pytest.approx(whole.user_attrs["co_bps_seeds"], abs=1e-5)


def test_another_number_of_seeds_is_rejected(study: OpenStudy) -> None:
    rejected = call(
        *("launch", "study", "--seeds", "2", "--workers", "0", "--artifacts", study.locations.artifacts),
        cwd=study.locations.artifacts.parent,
    )
    assert rejected.code == 1
    assert "--seeds 3, not 2" in rejected.err
