"""`rename`, `delete` and `prune-checkpoints`."""

import shutil
from pathlib import Path

import pytest

from nlb_search.search.export_options import REFIT_SEEDS
from nlb_search.search.networks.ties import find_ties
from nlb_search.search.study.open_study import Locations, OpenStudy, open_named_study
from nlb_search.search.trials.trial_scores import complete_trials, network_score
from nlb_search.search.workers.shutdown import Stop
from nlb_search.storage.database.retrying import DatabaseRetry
from nlb_search.storage.database.urls import parse_url
from nlb_search.storage.errors import DeletedStudyError
from tests.helpers.processes.command import call, search


@pytest.fixture(scope="module")
def searched(recordings: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a finished study of eight trials, one of which was retrained."""
    folder = tmp_path_factory.mktemp("searched")
    small = ("--dataset", "mc_rtt", "--arch", "FF -> exp", "--trials", "8", "--epochs", "6", "--pruner", "none")
    search("s", *small, "--sampler", "random", data=recordings, cwd=folder)
    worst = complete_trials(_open(folder, "s").study)[-1].number
    export = ("export-best", "s", "--phase", "test", "--workers", "1", "--out", "x.h5", "--trial", str(worst))
    assert call(*export, "--data", recordings, cwd=folder).code == 0
    return folder


@pytest.fixture
def folder(searched: Path, tmp_path: Path) -> Path:
    """A copy of the folder."""
    return Path(shutil.copytree(searched, tmp_path / "copy"))


def _open(folder: Path, study: str) -> OpenStudy:
    url = parse_url(f"sqlite:///{folder}/nlb-search.db")
    return open_named_study(Locations(url, folder / "nlb-search.db.artifacts", folder), study)


def test_renamed_study_keeps_its_trials_and_networks(folder: Path, recordings: Path) -> None:
    before = _open(folder, "s")
    n_trials = len(before.study.trials)
    done = call("rename", "s", "better-name", cwd=folder)
    assert done.code == 0, done.err
    assert len(_open(folder, "better-name").study.trials) == n_trials
    assert "there is no study 's'" in call("status", "s", cwd=folder).err
    exported = call("export-best", "better-name", "--out", "y.h5", "--data", recordings, cwd=folder)
    assert exported.code == 0, exported.err
    # A process that knows the study by its old name takes other locks, so it must not work on it.
    with pytest.raises(DeletedStudyError, match="the study 's' was deleted or renamed"):
        before.claims(DatabaseRetry(Stop())).next()


def test_new_name_must_be_valid_and_free(folder: Path) -> None:
    for name, code, says in (("s", 1, "there is a study 's' in this storage already"), ("a/b", 2, "not a valid study")):
        rejected = call("rename", "s", name, cwd=folder)
        assert rejected.code == code
        assert says in rejected.err


def test_deleted_study_leaves_no_checkpoints(folder: Path) -> None:
    rejected = call("delete", "s", cwd=folder)
    assert rejected.code == 2
    assert "pass --yes to delete without asking" in rejected.err
    assert len(_open(folder, "s").study.trials) == 8
    deleted = call("delete", "s", "--yes", cwd=folder)
    assert deleted.code == 0, deleted.err
    assert "there is no study 's'" in call("status", "s", cwd=folder).err
    assert list((folder / "nlb-search.db.artifacts").iterdir()) == []


@pytest.mark.parametrize("command", [("rename", "s", "t"), ("delete", "s", "--yes")])
def test_study_of_a_running_worker_is_left_alone(command: tuple[str, ...], folder: Path) -> None:
    study = _open(folder, "s")
    study.change_budget(9)
    assert study.claims(DatabaseRetry(Stop())).next() is not None
    rejected = call(*command, cwd=folder)
    assert rejected.code == 1
    assert "trial 8 of the study 's' is held by" in rejected.err
    assert len(_open(folder, "s").study.trials) == 9


def test_networks_of_the_best_trials_and_their_ties_are_kept(folder: Path, recordings: Path) -> None:
    study = _open(folder, "s")
    ranked = [trial.number for trial in complete_trials(study.study)]
    ties = find_ties(study).numbers
    assert ties is not None
    kept = {*ranked[:2], *ties}
    gone = sorted(set(ranked) - kept)
    assert gone
    assert len(study.checkpoints.networks(ranked[-1])) == 1 + REFIT_SEEDS
    pruned = call("prune-checkpoints", "s", "--keep", "2", cwd=folder)
    assert pruned.code == 0, pruned.err
    assert f"removed the networks of {len(gone)} of {len(ranked)} trials" in pruned.out
    assert [number for number in sorted(ranked) if study.checkpoints.networks(number)] == sorted(kept)

    status = call("status", "s", "--json", cwd=folder).json
    assert status["states"]["complete"] == 8
    assert status["ties"] == ties
    assert call("export-best", "s", "--out", "y.h5", "--ensemble", "auto", "--data", recordings, cwd=folder).code == 0
    rejected = call("export-best", "s", "--out", "z.h5", "--ensemble", "8", "--data", recordings, cwd=folder)
    assert rejected.code == 1
    assert "was removed by `nlb-search prune-checkpoints`" in rejected.err
    again = call("prune-checkpoints", "s", "--keep", "2", cwd=folder)
    assert f"removed the networks of 0 of {len(kept)} trials" in again.out


def test_ties_are_read_from_their_file_until_another_trial_completes(folder: Path, recordings: Path) -> None:
    before = call("status", "s", "--json", cwd=folder).json["ties"]
    study = _open(folder, "s")
    hidden = study.checkpoints.folder.rename(folder / "hidden")
    study.checkpoints.folder.mkdir()
    shutil.copy(hidden / study.checkpoints.ties.name, study.checkpoints.folder)
    assert call("status", "s", "--json", cwd=folder).json["ties"] == before

    shutil.rmtree(study.checkpoints.folder)
    hidden.rename(study.checkpoints.folder)
    resumed = call("enqueue", "s", "--set", "lr=0.03", cwd=folder)
    assert resumed.code == 0
    assert call("resume", "s", "--trials", "9", "--workers", "0", cwd=folder).code == 0
    assert call("worker", "s", "--data", recordings, cwd=folder).code == 0
    after = call("status", "s", "--json", cwd=folder).json
    study.checkpoints.ties.unlink()
    assert call("status", "s", "--json", cwd=folder).json == after
    assert network_score(complete_trials(study.study)[0]) == after["best"]["value"]
