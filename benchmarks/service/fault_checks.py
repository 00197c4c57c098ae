"""Checks of a study after faults: no finished trial is lost or duplicated, the budget is met exactly, no stray files.

Used by the tests in tests/faults and by ``soak``.
"""

import os
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import optuna
import psutil
import torch
from optuna.trial import FixedTrial, FrozenTrial, TrialState

from nlb_search.models.errors import DivergedError
from nlb_search.models.training.trainer import Trainer, ValScorer
from nlb_search.search.errors import SearchError
from nlb_search.search.export_options import REFIT_SEEDS
from nlb_search.search.networks.saved_networks import load_networks
from nlb_search.search.recording_tensors import counts_of
from nlb_search.search.sampling.spaces.trial_parameters import sample
from nlb_search.search.study.open_study import OpenStudy
from nlb_search.search.workers.trial_replicates import build_replicates
from nlb_search.storage.claims.claim import FAILURE_KEY
from nlb_search.storage.claims.trial_counts import FINISHED
from nlb_search.storage.errors import StorageError
from nlb_search.storage.pictures import PICTURES

LOG = frozenset({"log"})
"""Files that belong in the folder of a search that writes its output to ``log``."""

_Finished = tuple[str, float | None, tuple[tuple[str, object], ...], tuple[tuple[int, float], ...]]


class FinishedTrials:
    """The finished trials of a study during a search, each as it was when first seen."""

    def __init__(self) -> None:
        self._seen: dict[int, _Finished] = {}

    def update(self, study: optuna.Study) -> None:
        for trial in study.get_trials(deepcopy=False, states=FINISHED):
            self._seen.setdefault(trial.number, _as_finished(trial))

    def __len__(self) -> int:
        return len(self._seen)

    def changes(self, trials: list[FrozenTrial]) -> Iterator[str]:
        """Describe each finished trial that has changed or is missing."""
        now = {trial.number: trial for trial in trials}
        for number, seen in self._seen.items():
            if number not in now:
                yield f"finished trial {number} is lost"
            elif _as_finished(now[number]) != seen:
                yield f"finished trial {number} changed from {seen} to {_as_finished(now[number])}"


def _as_finished(trial: FrozenTrial) -> _Finished:
    reports = tuple(sorted(trial.intermediate_values.items()))
    return trial.state.name, trial.value, tuple(sorted(trial.params.items())), reports


def violations(
    study: OpenStudy, folder: Path, finished_trials: FinishedTrials, expected_files: frozenset[str] = frozenset()
) -> dict[str, list[str]]:
    """Check a study after its search. Returns one sentence per violation, grouped by kind of check.

    ``folder`` is the working directory of all processes. ``expected_files`` may exist there besides the study's files.
    """
    trials = study.study.get_trials(deepcopy=False)
    found = {
        "budget": _budget_violations(study, trials),
        "lost or duplicated": chain(finished_trials.changes(trials), _duplicates(trials)),
        "scores": chain(_score_violations(study, trials), _curve_violations(study, trials)),
        "checkpoints": _checkpoint_violations(study, trials),
        "stray files": _stray_files(study, folder, expected_files),
        "orphans": _orphans(folder),
        "log": _log_violations(folder / "log"),
    }
    return {kind: sentences for kind, violated in found.items() if (sentences := list(violated))}


def _budget_violations(study: OpenStudy, trials: list[FrozenTrial]) -> Iterator[str]:
    finished = [trial for trial in trials if trial.state in FINISHED]
    if len(finished) != study.spec.trials:
        yield f"{len(finished)} trials finished, but the budget is {study.spec.trials}"
    if [trial.number for trial in trials] != list(range(len(trials))):
        yield f"the trials are numbered {[trial.number for trial in trials]}"
    for trial in trials:
        if not trial.state.is_finished():
            yield f"trial {trial.number} is still {trial.state.name}"
        if trial.state == TrialState.FAIL and FAILURE_KEY not in trial.user_attrs:
            yield f"trial {trial.number} failed without a reason"


def _duplicates(trials: list[FrozenTrial]) -> Iterator[str]:
    first_with: dict[str, int] = {}
    for trial in trials:
        if trial.state not in FINISHED:
            continue
        first = first_with.setdefault(str(sorted(trial.params.items())), trial.number)
        if first != trial.number:
            yield f"trials {first} and {trial.number} have the same parameters: {trial.params}"


def _score_violations(study: OpenStudy, trials: list[FrozenTrial]) -> Iterator[str]:
    evaluations = [epoch for epoch in range(1, study.spec.epochs + 1) if study.spec.plan.is_evaluation(epoch)]
    for trial in trials:
        if trial.state not in FINISHED:
            continue
        steps, reports = sorted(trial.intermediate_values), trial.intermediate_values
        if steps != evaluations[: len(steps)] or (trial.state == TrialState.COMPLETE and steps != evaluations):
            yield f"trial {trial.number} is {trial.state.name} but reported epochs {steps} of {evaluations}"
        elif trial.state == TrialState.COMPLETE and trial.value != max(reports.values()):
            yield f"trial {trial.number} has the value {trial.value}, but its best report is {max(reports.values())}"
        elif trial.state == TrialState.PRUNED and (not steps or trial.value != reports[steps[-1]]):
            yield f"trial {trial.number} was pruned with the value {trial.value} after the reports {reports}"


def _curve_violations(study: OpenStudy, trials: list[FrozenTrial]) -> Iterator[str]:
    """Train every finished trial again without faults. On a CPU, the scores must be exactly equal."""
    recording = study.recording()
    train, val, cpu = counts_of(recording.train), ValScorer(counts_of(recording.val)), torch.device("cpu")
    for trial in trials:
        if trial.state not in FINISHED:
            continue
        values = sample(FixedTrial(trial.params), study.spec.space, study.spec.architectures)
        replicates = build_replicates(values, trial.number, study.spec, train, cpu)
        trainer, curve = Trainer(val), {}
        while replicates.epoch < (trial.last_step or 0):
            evaluation = replicates.evaluated(trainer.advance(replicates.trainings))
            if isinstance(evaluation, DivergedError):
                break
            if isinstance(evaluation, Exception):
                raise evaluation
            curve[evaluation.epoch] = evaluation.co_bps
        if curve != trial.intermediate_values:
            yield f"trial {trial.number} reported {trial.intermediate_values}, but without faults it reports {curve}"


def _checkpoint_violations(study: OpenStudy, trials: list[FrozenTrial]) -> Iterator[str]:
    scored = [trial for trial in trials if trial.state in FINISHED and trial.intermediate_values]
    refits = {study.checkpoints.refit(trial.number, repeat).name for trial in scored for repeat in range(REFIT_SEEDS)}
    others = {*refits, study.checkpoints.ties.name, PICTURES}
    found = {path.name for path in study.checkpoints.folder.iterdir()} - others
    expected = {study.checkpoints.best(trial.number).name for trial in scored}
    if found != expected:
        yield f"missing checkpoints: {sorted(expected - found)}, unexpected: {sorted(found - expected)}"
    for trial in scored:
        try:
            load_networks(study, trial)
        except (SearchError, StorageError) as error:
            yield str(error)


def _stray_files(study: OpenStudy, folder: Path, expected_files: frozenset[str]) -> Iterator[str]:
    file, artifacts = study.locations.url.sqlite_file, study.locations.artifacts
    own = set() if file is None else {f"{file.name}{ending}" for ending in ("", "-wal", "-shm", ".lock")}
    found = {path.name for path in folder.iterdir()} - own - {artifacts.name} - expected_files
    found |= {f"{artifacts.name}/{path.name}" for path in artifacts.iterdir() if path.name != study.identity}
    if found:
        yield f"unexpected files in {folder}: {sorted(found)}"


def _orphans(folder: Path) -> Iterator[str]:
    for process in processes_in(folder):
        yield f"process {process.pid} is still running: {' '.join(process.info['cmdline'] or [])}"


def processes_in(folder: Path) -> list[psutil.Process]:
    """All processes whose working directory is ``folder``, except this one."""
    found = psutil.process_iter(["cmdline", "cwd", "status"])
    return [
        process
        for process in found
        if process.info["cwd"] == str(folder.resolve())
        and process.info["status"] != psutil.STATUS_ZOMBIE
        and process.pid != os.getpid()
    ]


def _log_violations(log: Path) -> Iterator[str]:
    if log.exists() and "Traceback" in log.read_text():
        yield f"{log} contains a traceback"
