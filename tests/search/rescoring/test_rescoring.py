"""Rescoring finalists by cross-validation: scores, resuming after a kill, and export."""

import time
from pathlib import Path
from statistics import fmean, stdev

import h5py
import psutil
import pytest
import torch
from optuna.distributions import FloatDistribution
from optuna.trial import create_trial

from nlb_search.models.architecture.network import predict
from nlb_search.models.scoring.bits_per_spike import co_bps
from nlb_search.models.training.trainer import train_through
from nlb_search.models.training.training import Training
from nlb_search.search.creation.study_creation import StudyRequest, create_or_open
from nlb_search.search.recording_tensors import counts_of
from nlb_search.search.study.open_study import Locations, OpenStudy
from nlb_search.search.workers.shutdown import Stop
from nlb_search.search.workers.trial_replicates import split_settings
from nlb_search.search.workers.worker import work
from nlb_search.storage.checkpoints import load_checkpoint
from nlb_search.storage.database.urls import parse_url
from tests.helpers.processes.command import call, start

CPU = torch.device("cpu")

SPLITS = 9
"""Enough that the process is killed before it has computed all scores."""


@pytest.fixture
def study(recordings: Path, tmp_path: Path) -> OpenStudy:
    """A finished study of three trials, in the default locations below ``tmp_path``."""
    url = parse_url(f"sqlite:///{tmp_path}/nlb-search.db")
    locations = Locations(url, tmp_path / "nlb-search.db.artifacts", recordings)
    request = StudyRequest(
        dataset="mc_rtt", architectures=("FF -> exp",), trials=3, epochs=4, sampler="random", pruner="none"
    )
    study = create_or_open(locations, "study", request)
    work(study, Stop())
    return study


def _add_diverging_trial(study: OpenStudy) -> int:
    """Add a trial with the best val score and a learning rate that always diverges; returns its number."""
    like = study.study.trials[0]
    study.study.add_trial(
        create_trial(
            value=1.0,
            params=like.params | {"lr": 1e30},
            distributions=like.distributions | {"lr": FloatDistribution(1e-5, 1e31, log=True)},
            user_attrs={"best_epoch": 4},
        )
    )
    return study.study.trials[-1].number


def _by_hand(study: OpenStudy, number: int, fold: int, splits: int) -> float:
    """The score of a trial's settings on a fold, computed as described in the documentation."""
    counts = counts_of(study.recording().train_val)
    order = torch.randperm(counts.n_trials, generator=torch.Generator().manual_seed(study.spec.seed)).tolist()
    sizes = [len(order) // splits + (locations < len(order) % splits) for locations in range(splits)]
    first = sum(sizes[:fold])
    held = order[first : first + sizes[fold]]
    rest = [trial for trial in order if trial not in held]
    facts = load_checkpoint(study.checkpoints.best(number)).metadata
    architecture, hyper = split_settings(facts["settings"])
    train, test = (counts.of_trials(torch.tensor(trials)) for trials in (rest, held))
    training = Training(architecture, hyper, study.spec.plan, train, study.spec.trial_seed(fold), CPU)
    train_through([training], facts["progress"]["epoch"])
    return co_bps(predict(training.averaged_network(), test.heldin_BWI), test).item()


def _exported_trials(study: OpenStudy, folder: Path, *arguments: str) -> str:
    exported = call("export-best", "study", "--out", "x.h5", *arguments, "--data", study.locations.data, cwd=folder)
    assert exported.code == 0, exported.err
    with h5py.File(folder / "x.h5") as file:
        return str(file["mc_rtt"].attrs["trials"])


@pytest.mark.filterwarnings("ignore:The value 1e.30 of the parameter")
def test_scores_match_manual_cross_validation_and_decide_the_export(study: OpenStudy, tmp_path: Path) -> None:
    data = ("--data", study.locations.data)
    by_splits = ("export-best", "study", "--by", "splits", "--out", "x.h5", *data)
    rejected = call(*by_splits, cwd=tmp_path)
    assert rejected.code == 1
    assert "has not been rescored: run `nlb-search rescore study`" in rejected.err

    diverging = _add_diverging_trial(study)
    command = ("rescore", "study", "--finalists", "3", "--splits", "2", *data, "--json")
    rescored = call(*command, "--workers", "2", cwd=tmp_path)
    assert rescored.code == 0, rescored.err
    finalists = {one["number"]: one for one in rescored.json["finalists"]}
    ranked_by_val = sorted(study.study.trials, key=lambda trial: -(trial.value or 0))
    assert list(finalists) == [trial.number for trial in ranked_by_val[:3]], "the best by val, and no others"
    assert "the loss became nan" in finalists.pop(diverging)["diverged"]
    for number, one in finalists.items():
        expected = [_by_hand(study, number, fold, splits=2) for fold in range(2)]
        assert one["scores"] == pytest.approx(expected, abs=1e-6)
        assert one["mean"] == pytest.approx(fmean(expected), abs=1e-6)
        assert one["sd"] == pytest.approx(stdev(expected), abs=1e-6)
    best, other = sorted(finalists, key=lambda number: -finalists[number]["mean"])
    assert rescored.json["chosen"] == best
    assert _exported_trials(study, tmp_path, "--by", "splits") == str(best)

    # Reverse the order of the finalists: the export uses the scores that are stored in the study.
    for fold in range(2):
        study.study.set_user_attr(f"rescoring-2-{other}-{fold}", {"co_bps": 9.0})
    assert _exported_trials(study, tmp_path, "--by", "splits") == str(other)
    assert _exported_trials(study, tmp_path, "--by", "splits", "--ensemble", "2") == f"{other}, {best}"
    of_test = ("--phase", "test", "--seeds", "1", "--workers", "1")
    assert _exported_trials(study, tmp_path, "--ensemble", "2", *of_test, "--by", "splits") == f"{other}, {best}"
    assert call(*command, cwd=tmp_path).json["chosen"] == other, "nothing is trained a second time"
    too_many = call(*by_splits, "--ensemble", "3", cwd=tmp_path)
    assert "has 2 rescored trials, fewer than the 3 requested" in too_many.err


def test_killed_rescoring_is_resumed(study: OpenStudy, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    data = ("--data", study.locations.data)
    command = ("rescore", "study", "--splits", str(SPLITS), "--workers", "1", *data)
    killed, pool = start(*command, cwd=tmp_path), []
    while not _known(study):
        assert killed.poll() is None, (tmp_path / "log").read_text()
        pool = psutil.Process(killed.pid).children(recursive=True)
        time.sleep(0.02)
    killed.kill()
    killed.wait()
    assert pool
    _, alive = psutil.wait_procs(pool, timeout=10)
    assert alive == [], "no process outlives the one that started it"
    before = _known(study)
    assert len(before) < 3 * SPLITS
    cut_short = call("export-best", "study", "--by", "splits", "--out", "x.h5", *data, cwd=tmp_path)
    assert "is not finished: continue with `nlb-search rescore study`" in cut_short.err

    assert call(*command, cwd=tmp_path).code == 0
    trained = [message for message in caplog.messages if ": co-bps" in message]
    assert len(trained) == 3 * SPLITS - len(before), "folds that were done are not trained again"
    after = _known(study)
    assert len(after) == 3 * SPLITS
    assert {locations: after[locations] for locations in before} == before


def _known(study: OpenStudy) -> dict[str, float]:
    """The scores stored in the study, by finalist and fold."""
    return {
        key: value["co_bps"] for key, value in study.study.user_attrs.items() if key.startswith(f"rescoring-{SPLITS}-")
    }
