"""``violations`` detects every kind of damage, each inflicted on a finished study."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy
from optuna.trial import TrialState

from benchmarks.service.fault_checks import FinishedTrials, violations
from nlb_search.search.creation.study_creation import StudyRequest, create_or_open
from nlb_search.search.study.open_study import Locations, OpenStudy, open_named_study
from nlb_search.search.workers.shutdown import Stop
from nlb_search.search.workers.worker import work
from nlb_search.storage.database.urls import parse_url


@pytest.fixture(scope="module")
def finished(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a finished study, never changed."""
    folder = tmp_path_factory.mktemp("finished")
    request = StudyRequest(
        dataset="mc_rtt",
        architectures=("FF -> exp",),
        trials=3,
        epochs=3,
        sampler="random",
        pruner="none",
    )
    study = create_or_open(_locations(folder, tiny), "study", request)
    work(study, Stop())
    assert violations(study, folder, FinishedTrials()) == {}
    return folder


@pytest.fixture
def study(finished: Path, tiny: Path, tmp_path: Path) -> OpenStudy:
    """A copy of the finished study."""
    shutil.copytree(finished, tmp_path, dirs_exist_ok=True)
    return open_named_study(_locations(tmp_path, tiny), "study")


def _locations(folder: Path, data: Path) -> Locations:
    return Locations(parse_url(f"sqlite:///{folder}/studies.db"), folder / "artifacts", data)


@pytest.fixture
def finished_trials(study: OpenStudy) -> FinishedTrials:
    finished_trials = FinishedTrials()
    finished_trials.update(study.study)
    return finished_trials


def _sql(statement: str) -> Callable[[OpenStudy], None]:
    def change(study: OpenStudy) -> None:
        engine = sqlalchemy.create_engine(study.locations.url.sqlalchemy_url)
        with engine.begin() as connection:
            assert connection.execute(sqlalchemy.text(statement)).rowcount == 1
        engine.dispose()

    return change


def _left_running(study: OpenStudy) -> None:
    study.study.ask()


def _twice(study: OpenStudy) -> None:
    study.study.add_trial(study.study.trials[0])


def _failed_without_a_word(study: OpenStudy) -> None:
    study.study.tell(study.study.ask(), state=TrialState.FAIL)


def _gone_checkpoint(study: OpenStudy) -> None:
    study.checkpoints.best(1).unlink()


def _half_a_checkpoint(study: OpenStudy) -> None:
    path = study.checkpoints.best(1)
    path.write_bytes(path.read_bytes()[:200])


def _left_part(study: OpenStudy) -> None:
    (study.checkpoints.folder / ".trial-00001-best.safetensors.x.part").touch()


def _stray_file(study: OpenStudy) -> None:
    (study.locations.artifacts.parent / "core").touch()


def _traceback(study: OpenStudy) -> None:
    (study.locations.artifacts.parent / "log").write_text("Traceback (most recent call last):")


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        (_left_running, "trial 3 is still RUNNING"),
        (_twice, "trials 0 and 3 have the same parameters"),
        (_twice, "4 trials finished, but the budget is 3"),
        (_failed_without_a_word, "trial 3 failed without a reason"),
        (_sql("UPDATE trials SET number = 7 WHERE number = 2"), "the trials are numbered [0, 1, 7]"),
        (_sql("UPDATE trials SET number = 7 WHERE number = 2"), "finished trial 2 is lost"),
        (_sql("UPDATE trials SET state = 'FAIL' WHERE number = 2"), "2 trials finished, but the budget is 3"),
        (
            _sql(
                "INSERT INTO trial_intermediate_values (trial_id, step, intermediate_value, intermediate_value_type) "
                "SELECT trial_id, 4, 0.5, 'FINITE' FROM trials WHERE number = 1"
            ),
            "trial 1 is COMPLETE but reported epochs [1, 2, 3, 4] of [1, 2, 3]",
        ),
        (
            _sql(
                "DELETE FROM trial_intermediate_values "
                "WHERE step = 2 AND trial_id = (SELECT trial_id FROM trials WHERE number = 1)"
            ),
            "reported epochs [1, 3] of [1, 2, 3]",
        ),
        (
            _sql(
                "UPDATE trial_intermediate_values SET intermediate_value = -9 "
                "WHERE step = 2 AND trial_id = (SELECT trial_id FROM trials WHERE number = 1)"
            ),
            "but without faults it reports",
        ),
        (
            _sql("UPDATE trial_values SET value = 0.5 WHERE trial_id = (SELECT trial_id FROM trials WHERE number = 1)"),
            "trial 1 has the value 0.5, but its best report is",
        ),
        (_gone_checkpoint, "missing checkpoints: ['trial-00001-best.safetensors']"),
        (_half_a_checkpoint, "trial-00001-best.safetensors is damaged"),
        (_left_part, ".part']"),
        (_stray_file, "['core']"),
        (_traceback, "contains a traceback"),
    ],
)
def test_broken_guarantee_is_reported(
    fault: Callable[[OpenStudy], None], says: str, study: OpenStudy, finished_trials: FinishedTrials, tmp_path: Path
) -> None:
    fault(study)
    broken = violations(open_named_study(study.locations, study.name), tmp_path, finished_trials)
    assert any(says in sentence for sentences in broken.values() for sentence in sentences), broken


def test_orphaned_process_is_reported(study: OpenStudy, finished_trials: FinishedTrials, tmp_path: Path) -> None:
    orphan = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], cwd=tmp_path)
    try:
        broken = violations(study, tmp_path, finished_trials)
    finally:
        orphan.kill()
        orphan.wait()
    [sentence] = broken.pop("orphans")
    assert f"process {orphan.pid} is still running" in sentence
    assert broken == {}
