"""``launch --on slurm``: on a real Slurm of two nodes if it is installed, else with submitit's local executor."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from optuna.trial import FrozenTrial, TrialState
from submitit import LocalExecutor

from nlb_search.search.creation.study_creation import StudyRequest, create_or_open
from nlb_search.search.errors import SearchError
from nlb_search.search.launching.slurm import PYTHON, Launch, check_cluster, minutes_of
from nlb_search.search.study.open_study import Locations, OpenStudy, open_named_study
from nlb_search.search.worker_protocol import LAUNCHER_VARIABLE
from nlb_search.storage.claims.owner import OWNER_KEY
from nlb_search.storage.database.urls import parse_url
from tests.helpers.processes.command import Outcome, call
from tests.helpers.processes.waiting import wait_until
from tests.helpers.servers import slurm_cluster
from tests.helpers.servers.postgres_server import serving
from tests.helpers.servers.slurm_cluster import Cluster

PASSWORD = "more-than-a-word"
BUDGET, EPOCHS = 2, 80


def _run(*command: str) -> str:
    """The output of one of Slurm's commands."""
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout


@pytest.fixture
def locations(recordings: Path, tmp_path: Path) -> Iterator[Locations]:
    with serving("lab", PASSWORD, "studies") as port:
        url = parse_url(f"postgresql://lab:{PASSWORD}@127.0.0.1:{port}/studies")
        yield Locations(url, tmp_path / "artifacts", recordings)


@pytest.fixture
def cluster(locations: Locations, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    """A Slurm cluster of two nodes, configured through environment variables."""
    with slurm_cluster.running("node1", "node2") as cluster:
        for name, value in (cluster.environment | locations.environment).items():
            monkeypatch.setenv(name, value)
        yield cluster


def _trials(study: OpenStudy) -> list[FrozenTrial]:
    return study.study.get_trials(deepcopy=False)


def _launch_on_slurm(*options: str, cwd: Path) -> Outcome:
    (cwd / "small.toml").write_text("hidden = 16\n")
    return call(
        *("launch", "study", "--dataset", "mc_rtt", "--arch", "GRU(1) -> FF -> exp", "--pruner", "none"),
        *("--space", "small.toml", "--epochs", str(EPOCHS)),
        *("--on", "slurm", "--partition", "cpu", "--time", "0:30:00", *options),
        cwd=cwd,
    )


def _check_complete(study: OpenStudy, budget: int) -> None:
    """All trials are complete, and none lacks an evaluation."""
    trials = _trials(study)
    assert [trial.state for trial in trials] == [TrialState.COMPLETE] * budget
    for trial in trials:
        assert trial.last_step is not None
        assert study.spec.plan.is_over(trial.last_step, trial.user_attrs["best_epoch"])
        steps = range(study.spec.evaluate_every, trial.last_step + 1, study.spec.evaluate_every)
        assert sorted(trial.intermediate_values) == list(steps), "an evaluation is missing"


@pytest.mark.usefixtures("cluster")
@pytest.mark.skipif(not slurm_cluster.can_run(), reason="needs root, and the daemons of Slurm and munge")
def test_requeued_slurm_job_meets_the_budget(locations: Locations, tmp_path: Path) -> None:
    """The job releases its trial, is requeued by Slurm, and resumes the trial."""
    launched = _launch_on_slurm("--trials", str(BUDGET), cwd=tmp_path)
    assert launched.code == 0, launched.err
    assert "submitted job 1\n" in launched.out
    study = open_named_study(locations, "study")
    wait_until(lambda: any(trial.last_step is not None for trial in _trials(study)))
    shown = [" ".join(process.info["cmdline"] or []) for process in psutil.process_iter(["cmdline"])]
    assert any("submitit" in command for command in shown)
    assert not any(PASSWORD in command for command in shown)

    _run("scancel", "--signal=USR2", "1")  # what Slurm sends a minute before the end of a job's time
    wait_until(lambda: all(trial.user_attrs.get(OWNER_KEY) is None for trial in _trials(study)))
    (handed_back,) = (trial for trial in _trials(study) if trial.state != TrialState.WAITING)
    assert handed_back.state == TrialState.RUNNING
    wait_until(lambda: not _run("squeue", "--noheader"))

    _check_complete(study, BUDGET)
    assert "Restarts=1" in _run("scontrol", "show", "job", "1")
    logs = locations.artifacts / ".slurm" / "study"
    assert logs.stat().st_mode & 0o777 == 0o700
    said = (logs / "1_0_log.out").read_text()
    assert f"trial 0 resumes from epoch {handed_back.last_step}" in said
    assert not any(PASSWORD.encode() in path.read_bytes() for path in logs.iterdir())


@pytest.mark.thorough
@pytest.mark.skipif(not slurm_cluster.can_run(), reason="needs root, and the daemons of Slurm and munge")
def test_preemption_lost_node_and_full_queue_lose_no_trial(
    locations: Locations, tmp_path: Path, cluster: Cluster
) -> None:
    """Three jobs on two nodes: one is preempted, one loses its node, and one waits in the queue."""
    launched = _launch_on_slurm("--trials", "3", "--nodes", "3", cwd=tmp_path)
    assert launched.code == 0, launched.err
    study = open_named_study(locations, "study")
    wait_until(lambda: sum(trial.last_step is not None for trial in _trials(study)) == 2)
    assert cluster.run("squeue", "--noheader", "--array", "--states=pending", "--format=%i %r") == "1_2 Resources"
    cluster.lose("node2")
    cluster.run("scontrol", "update", "nodename=node2", "state=down", "reason=lost")  # Slurm notices it in a minute
    cluster.run("sbatch", "--partition=urgent", "--nodelist=node1", f"--output={tmp_path}/urgent", "--wrap=sleep 1")
    wait_until(lambda: cluster.run("squeue", "--noheader") == "")

    _check_complete(study, 3)
    jobs = cluster.run("scontrol", "--oneliner", "show", "job").splitlines()
    restarts = {
        re.search(r"ArrayTaskId=(\d)", job)[1]: re.search(r"Restarts=(\d)", job)[1]  # type: ignore[index]
        for job in jobs
        if "ArrayTaskId" in job
    }
    assert restarts == {"0": "1", "1": "1", "2": "0"}
    said = (locations.artifacts / ".slurm" / "study" / "1_2_0_log.out").read_text()
    assert "trial 0 resumes from epoch" in said or "trial 1 resumes from epoch" in said
    assert "lost its worker" in said


def test_job_searches_the_study_named_in_its_environment(
    recordings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    locations = Locations(parse_url(f"sqlite:///{tmp_path}/studies.db"), tmp_path / "artifacts", recordings)
    study = create_or_open(
        locations, "study", StudyRequest(dataset="mc_rtt", architectures=("FF -> exp",), trials=1, epochs=2)
    )
    for name, value in locations.environment.items():
        monkeypatch.setenv(name, value)
    job = LocalExecutor(tmp_path / "logs", python=PYTHON).submit(Launch(("study", "--workers", "1", "--gpus", "none")))
    job.result()
    assert [trial.state for trial in _trials(study)] == [TrialState.COMPLETE]


def test_repeated_sigterm_from_launcher_and_cluster(tmp_path: Path) -> None:
    told_twice = (
        "import os, signal; from nlb_search.search.workers.shutdown import Stop; stop = Stop().listen()\n"
        "for _ in range(2): os.kill(os.getpid(), signal.SIGTERM); stop.wait()"
    )
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[3])}
    for launcher, code in (({LAUNCHER_VARIABLE: "1"}, 0), ({}, -signal.SIGTERM)):
        ended = subprocess.run([sys.executable, "-c", told_twice], cwd=tmp_path, env=environment | launcher)
        assert ended.returncode == code


@pytest.mark.parametrize(
    ("time", "minutes"),
    [("90", 90), ("90:30", 91), ("1:30:00", 90), ("2-12", 60 * 60), ("1-0:30", 1470), ("1-00:00:01", 1441)],
)
def test_slurm_time_formats(time: str, minutes: int) -> None:
    assert minutes_of(time) == minutes


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (["--on", "slurm"], 2, "--on slurm needs --time"),
        (["--on", "slurm", "--time", "tomorrow"], 2, "--time tomorrow"),
        (["--on", "slurm", "--time", "0:03:00"], 2, "--time 0:03:00: a job needs at least 5 minutes"),
        (["--on", "slurm", "--time", "60", "--gpus", "0"], 2, "pass --time and --gpus-per-node"),
        (["--partition", "gpu"], 2, "need --on slurm"),
        (["--on", "slurm", "--time", "60"], 1, "SQLite on a shared folder is not safe"),
    ],
)
def test_invalid_slurm_options_are_rejected_before_creating_a_study(
    options: list[str], code: int, words: str, recordings: Path, tmp_path: Path
) -> None:
    study = ("study", "--dataset", "mc_rtt", "--arch", "rnnf", "--trials", "2", "--data", recordings)
    rejected = call("launch", *study, *options, cwd=tmp_path)
    assert rejected.code == code
    assert words in rejected.err
    assert list(tmp_path.iterdir()) == []


def test_host_in_url_options(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "srun").touch(mode=0o755)  # as on a login node
    monkeypatch.setenv("PATH", str(tmp_path))
    check_cluster(Locations(parse_url("postgresql://lab@/studies?host=db.example"), tmp_path, tmp_path))
    with pytest.raises(SearchError, match="is only available on this machine"):
        check_cluster(Locations(parse_url("postgresql://lab@/studies?host=/run/postgresql"), tmp_path, tmp_path))
