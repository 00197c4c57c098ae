"""A study with the settings of another one copies the trials that it would have trained in the same way."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from optuna.trial import FrozenTrial, TrialState

from nlb_search.search.ensembles.loaded_trial import load_trial
from nlb_search.search.study.open_study import Locations, OpenStudy, open_named_study
from nlb_search.search.study.status import study_status
from nlb_search.search.workers.shutdown import Stop
from nlb_search.search.workers.worker import work
from nlb_search.storage.database.urls import parse_url
from tests.helpers.processes.command import call, search

FF, CONV = "FF -> exp", "Conv -> FF -> exp"
TRIALS = 8


@pytest.fixture(autouse=True)
def _messages(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")


@pytest.fixture(scope="module")
def folder(recordings: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a finished study of two chains, of which some trials were pruned."""
    folder = tmp_path_factory.mktemp("copied")
    (folder / "space.toml").write_text("lr = { low = 0.001, high = 0.03, log = true }\n")
    search(
        *("old", "--dataset", "mc_rtt", "--arch", FF, "--arch", CONV, "--trials", str(TRIALS), "--epochs", "2"),
        *("--sampler", "random", "--space", "space.toml"),
        data=recordings,
        cwd=folder,
    )
    return folder


def _open(folder: Path, name: str, recordings: Path) -> OpenStudy:
    url = parse_url(f"sqlite:///{folder}/nlb-search.db")
    return open_named_study(Locations(url, folder / "nlb-search.db.artifacts", recordings), name)


def _copy(folder: Path, recordings: Path, name: str, *options: str) -> list[FrozenTrial]:
    copied = call("launch", name, "--copy-of", "old", *options, "--workers", "0", "--data", recordings, cwd=folder)
    assert copied.code == 0, copied.err
    return _open(folder, name, recordings).study.get_trials(states=(TrialState.COMPLETE, TrialState.PRUNED))


def test_unchanged_settings_take_over_all_trials_with_their_networks(
    folder: Path, recordings: Path, caplog: pytest.LogCaptureFixture
) -> None:
    trials = _copy(folder, recordings, "same", "--trials", str(TRIALS + 1), "--sampler", "tpe")
    assert f"copied {TRIALS} of the {TRIALS} trials of 'old'" in caplog.text
    old, new = _open(folder, "old", recordings), _open(folder, "same", recordings)
    for trial, before in zip(trials, old.study.get_trials(), strict=True):
        assert (trial.state, trial.value, trial.params) == (before.state, before.value, before.params)
        assert trial.intermediate_values == before.intermediate_values
        assert load_trial(new, trial).evaluation == load_trial(old, before).evaluation
        assert new.network_seed(trial) == old.network_seed(before)
    assert new.spec.sampler == "tpe"
    assert new.spec.space == old.spec.space
    assert study_status(new).began is None
    work(new, Stop())
    assert study_status(new).began == new.study.get_trials()[-1].datetime_start
    assert len(new.study.get_trials()) == TRIALS + 1, "they count towards the budget"
    export = ("export-best", "same", "--out", "x.h5", "--phase", "test", "--workers", "1")
    exported = call(*export, "--data", recordings, cwd=folder)
    assert exported.code == 0, exported.err


def test_only_trials_of_searched_chains_and_inside_the_space_are_taken_over(
    folder: Path, recordings: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (folder / "narrow.toml").write_text("lr = { low = 0.001, high = 0.0101, log = true }\n")
    trials = _copy(folder, recordings, "narrow", "--arch", FF, "--space", "narrow.toml")
    old = _open(folder, "old", recordings).study.get_trials()
    expected = [t for t in old if t.params["architecture"] == FF and t.params["lr"] <= 0.0101]
    assert 0 < len(expected) < TRIALS, "the test needs some of both"
    assert [trial.params["lr"] for trial in trials] == [trial.params["lr"] for trial in expected]
    assert all("architecture" not in trial.params for trial in trials), "the new study has one chain"
    others = [trial for trial in old if trial.params["architecture"] == CONV]
    assert f"{len(others)} not copied: the study does not search {CONV}" in caplog.text
    work(_open(folder, "narrow", recordings), Stop())  # the sampler accepts them


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (("--epochs", "3"), "trained for up to 2 epochs"),
        (("--seeds", "2"), "they were trained with --seeds 1, not 2"),
        (("--bin-size", "20"), "trained on another recording"),
    ],
)
def test_trials_trained_otherwise_are_not_taken_over(
    folder: Path, recordings: Path, caplog: pytest.LogCaptureFixture, options: tuple[str, str], reason: str
) -> None:
    trials = _copy(folder, recordings, f"other{options[0]}", *options)
    assert trials == []
    assert f"copied 0 of the {TRIALS} trials of 'old'" in caplog.text
    assert f"{TRIALS} not copied:" in caplog.text
    assert reason in caplog.text


def test_repeated_command_joins_the_copy(folder: Path, recordings: Path, caplog: pytest.LogCaptureFixture) -> None:
    first = _copy(folder, recordings, "twice", "--seed", "3")
    caplog.clear()
    second = _copy(folder, recordings, "twice", "--seed", "3")
    assert len(first) == len(second) == TRIALS
    assert f"of the {TRIALS} trials of 'old'" not in caplog.text


def test_interrupted_creation_is_done_again(folder: Path, recordings: Path, caplog: pytest.LogCaptureFixture) -> None:
    program = (
        "import os, signal, sys\n"
        "from nlb_search.storage import initial_trials\n"
        "from nlb_search.search.cli.app import main\n"
        "copy, done = initial_trials._copy, []\n"
        "def dying(*paths):\n"
        "    done.append(copy(*paths))\n"
        "    if len(done) == 3: os.kill(os.getpid(), signal.SIGKILL)\n"
        "initial_trials._copy = dying\n"
        "main()\n"
    )
    options = ["launch", "cut", "--copy-of", "old", "--workers", "0", "--data", str(recordings)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    killed = subprocess.run([sys.executable, "-c", program, *options], cwd=folder, env=environment, check=False)
    assert killed.returncode == -signal.SIGKILL
    missing = call("status", "cut", cwd=folder)
    assert missing.code == 1
    trials = _copy(folder, recordings, "cut")
    assert len(trials) == TRIALS
    assert f"copied {TRIALS} of" in caplog.text
