"""Retraining trials on train + val: in parallel, interrupted, diverging, and far worse than in the search."""

import logging
import threading
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from nlb_search.models.architecture.network import Network
from nlb_search.models.errors import DivergedError, InterruptedTrainingError
from nlb_search.search.creation.study_creation import StudyRequest, create_or_open
from nlb_search.search.ensembles.loaded_trial import LoadedTrial, load_trial
from nlb_search.search.ensembles.refit import RefitOptions, refit
from nlb_search.search.ensembles.refit_job import RefitJob
from nlb_search.search.ensembles.refit_training import retrain
from nlb_search.search.errors import SearchError
from nlb_search.search.launching.slots import Slot
from nlb_search.search.study.open_study import Locations, OpenStudy
from nlb_search.search.trials.trial_scores import complete_trials
from nlb_search.search.workers.shutdown import Stop
from nlb_search.search.workers.worker import work
from nlb_search.storage.checkpoints import load_checkpoint
from nlb_search.storage.database.urls import parse_url

TWO_SLOTS = (Slot(0, None), Slot(1, None))


@pytest.fixture
def study(recordings: Path, tmp_path: Path) -> OpenStudy:
    """A finished study of two trials."""
    locations = Locations(parse_url(f"sqlite:///{tmp_path}/studies.db"), tmp_path / "artifacts", recordings)
    request = StudyRequest(
        dataset="mc_rtt", architectures=("FF -> exp",), trials=2, epochs=8, sampler="random", pruner="none"
    )
    study = create_or_open(locations, "study", request)
    work(study, Stop())
    return study


def _loaded_trials(study: OpenStudy) -> list[LoadedTrial]:
    return [load_trial(study, trial) for trial in complete_trials(study.study)]


def _weights(networks: list[list[Network]]) -> list[torch.Tensor]:
    return [weight for of_one in networks for network in of_one for weight in network.state_dict().values()]


def _stored(study: OpenStudy) -> list[Path]:
    return sorted(study.checkpoints.folder.glob("*refit*"))


def _job(study: OpenStudy, loaded: LoadedTrial, **changed: object) -> RefitJob:
    values = {
        "study": study.name,
        "spec": study.spec,
        "data": study.locations.data,
        "number": loaded.trial.number,
        "settings": loaded.settings,
        "epochs": 4,
        "seed": 3,
        "co_bps": loaded.evaluation.co_bps,
        "path": study.checkpoints.refit(loaded.trial.number, 0),
    }
    return RefitJob(**values | changed)


def test_networks_trained_in_two_processes_are_those_of_one_and_are_trained_once(
    study: OpenStudy, caplog: pytest.LogCaptureFixture
) -> None:
    """Only the networks of the second trial are not accepted: processes log this, too."""
    first, second = _loaded_trials(study)
    loaded_trials = [
        replace(one, evaluation=replace(one.evaluation, co_bps=one.evaluation.co_bps + change))
        for one, change in ((first, -5), (second, 5))
    ]
    with caplog.at_level(logging.INFO):
        parallel = _weights(refit(loaded_trials, RefitOptions(seeds=2, slots=TWO_SLOTS)))
    worse = f"study: trial {second.trial.number}: "
    warned = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert all(message.startswith(worse) for message in warned)
    assert sum("a retrained network has co-bps" in message for message in warned) == 6
    assert sum("the best of several seeds is used, with co-bps" in message for message in warned) == 2
    assert "retraining on train + val: 0 of 4 networks done" in caplog.messages
    assert "retraining on train + val: 4 of 4 networks done" in caplog.messages
    written = {path: path.stat().st_mtime_ns for path in _stored(study)}
    assert len(written) == 4
    again = _weights(refit(loaded_trials, RefitOptions(seeds=2)))
    assert {path: path.stat().st_mtime_ns for path in _stored(study)} == written
    for path in written:
        path.unlink()
    alone = _weights(refit(loaded_trials, RefitOptions(seeds=2)))
    for one, other, third in zip(parallel, again, alone, strict=True):
        assert torch.equal(one, other)
        assert torch.equal(one, third)


def test_an_interrupted_training_continues_from_its_checkpoint(
    study: OpenStudy, caplog: pytest.LogCaptureFixture
) -> None:
    loaded = _loaded_trials(study)[0]
    job = _job(study, loaded, epochs=40)

    class AtCheckpoint(Stop):
        def is_set(self) -> bool:
            return job.running.exists()

    with caplog.at_level(logging.INFO):
        with pytest.raises(InterruptedTrainingError):
            retrain(job, AtCheckpoint().is_set)
        assert not job.path.exists()
        retrain(job, threading.Event().is_set)
    assert caplog.messages == [f"{job.name}: resuming training on train + val from epoch 1 of 40"]
    assert not job.running.exists()
    resumed = load_checkpoint(job.path).tensors
    job.path.unlink()
    retrain(job, threading.Event().is_set)
    for name, weight in load_checkpoint(job.path).tensors.items():
        assert torch.equal(weight, resumed[name])


def test_one_process_trains_on_the_gpu_of_its_slot(study: OpenStudy) -> None:
    """No machine has this GPU: the training fails if it is given it, and succeeds on another device if it is not."""
    with pytest.raises(SearchError, match="torch cannot use GPU 63, which was assigned to this worker"):
        refit(_loaded_trials(study)[:1], RefitOptions(seeds=1, slots=(Slot(0, "63"),)))
    assert _stored(study) == []


def test_a_stopped_refit_raises_and_keeps_what_is_done(study: OpenStudy) -> None:
    stop = Stop()
    stop.set()
    with pytest.raises(InterruptedTrainingError, match="run the command again to continue"):
        refit(_loaded_trials(study), RefitOptions(stop=stop))


def test_a_network_far_worse_than_its_trial_is_trained_with_other_seeds(study: OpenStudy) -> None:
    job = _job(study, _loaded_trials(study)[0], co_bps=5.0)
    refitted = retrain(job, threading.Event().is_set)
    tried = [float(reason.split()[2]) for reason in refitted.rejected]
    assert len(set(tried)) == 3
    assert refitted.co_bps == pytest.approx(max(tried), abs=1e-4)


def test_a_training_that_diverges_with_every_seed_is_an_error(study: OpenStudy) -> None:
    loaded = _loaded_trials(study)[0]
    job = _job(study, loaded, settings=loaded.settings | {"lr": 1e30})
    with pytest.raises(DivergedError):
        retrain(job, threading.Event().is_set)
    assert not job.path.exists()
