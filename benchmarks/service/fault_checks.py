"""What must hold after any fault: no finished trial lost or doubled, the budget met exactly, nothing left behind.

The tests of faults and ``soak`` ask the same questions here.
"""

import os
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import optuna
import psutil
import torch
from optuna.trial import FixedTrial, FrozenTrial, TrialState

from nlb_search.models.architecture.chain import parse_chain
from nlb_search.models.errors import DivergedError
from nlb_search.models.training.state import Training
from nlb_search.models.training.trainer import Trainer, Val
from nlb_search.search.errors import SearchError
from nlb_search.search.recording_tensors import counts_of
from nlb_search.search.sampling.space import sample
from nlb_search.search.scoring.saved_networks import load_network
from nlb_search.search.study.open_study import OpenStudy
from nlb_search.search.workers.trial import settings_of
from nlb_search.storage.claims.claim import FAILURE_KEY
from nlb_search.storage.claims.trial_counts import FINISHED
from nlb_search.storage.errors import StorageError

LOG = frozenset({"log"})
"""What belongs in the folder of a search whose words go to a file of that name."""

_Finished = tuple[str, float | None, tuple[tuple[str, object], ...], tuple[tuple[int, float], ...]]


class Witness:
    """Looks at a study while it is searched, and remembers every finished trial as it was then."""

    def __init__(self) -> None:
        self._seen: dict[int, _Finished] = {}

    def look(self, study: optuna.Study) -> None:
        for trial in study.get_trials(deepcopy=False, states=FINISHED):
            self._seen.setdefault(trial.number, _as_finished(trial))

    def __len__(self) -> int:
        return len(self._seen)

    def broken(self, trials: list[FrozenTrial]) -> Iterator[str]:
        """What was finished once and is not as it was."""
        now = {trial.number: trial for trial in trials}
        for number, seen in self._seen.items():
            if number not in now:
                yield f"the finished trial {number} is lost"
            elif _as_finished(now[number]) != seen:
                yield f"the finished trial {number} was {seen} and is now {_as_finished(now[number])}"


def _as_finished(trial: FrozenTrial) -> _Finished:
    reports = tuple(sorted(trial.intermediate_values.items()))
    return trial.state.name, trial.value, tuple(sorted(trial.params.items())), reports


def broken_promises(
    study: OpenStudy, folder: Path, witness: Witness, belongs: frozenset[str] = frozenset()
) -> dict[str, list[str]]:
    """The promises that do not hold for a study whose search is over: by their kind, one sentence for each fault.

    ``folder`` is where all its processes ran; beside the study's own files it may hold what ``belongs`` there.
    """
    trials = study.study.get_trials(deepcopy=False)
    found = {
        "budget": _broken_budget(study, trials),
        "lost or doubled": chain(witness.broken(trials), _doubled(trials)),
        "scores": chain(_broken_scores(study, trials), _broken_curves(study, trials)),
        "checkpoints": _broken_checkpoints(study, trials),
        "stray files": _stray_files(study, folder, belongs),
        "orphans": _orphans(folder),
        "log": _broken_log(folder / "log"),
    }
    return {kind: sentences for kind, broken in found.items() if (sentences := list(broken))}


def _broken_budget(study: OpenStudy, trials: list[FrozenTrial]) -> Iterator[str]:
    finished = [trial for trial in trials if trial.state in FINISHED]
    if len(finished) != study.spec.trials:
        yield f"{len(finished)} trials finished, and the budget is {study.spec.trials}"
    if [trial.number for trial in trials] != list(range(len(trials))):
        yield f"the trials are numbered {[trial.number for trial in trials]}"
    for trial in trials:
        if not trial.state.is_finished():
            yield f"trial {trial.number} is left {trial.state.name}"
        if trial.state == TrialState.FAIL and FAILURE_KEY not in trial.user_attrs:
            yield f"trial {trial.number} failed and does not say why"


def _doubled(trials: list[FrozenTrial]) -> Iterator[str]:
    drawn: dict[str, int] = {}
    for trial in trials:
        if trial.state not in FINISHED:
            continue
        twin = drawn.setdefault(str(sorted(trial.params.items())), trial.number)
        if twin != trial.number:
            yield f"trials {twin} and {trial.number} are one trial twice: {trial.params}"


def _broken_scores(study: OpenStudy, trials: list[FrozenTrial]) -> Iterator[str]:
    looks = [epoch for epoch in range(1, study.spec.epochs + 1) if study.spec.plan.is_evaluation(epoch)]
    for trial in trials:
        if trial.state not in FINISHED:
            continue
        steps, reports = sorted(trial.intermediate_values), trial.intermediate_values
        if steps != looks[: len(steps)] or (trial.state == TrialState.COMPLETE and steps != looks):
            yield f"trial {trial.number} is {trial.state.name} and reported epochs {steps} of {looks}"
        elif trial.state == TrialState.COMPLETE and trial.value != max(reports.values()):
            yield f"trial {trial.number} has {trial.value}, and its best report is {max(reports.values())}"
        elif trial.state == TrialState.PRUNED and (not steps or trial.value != reports[steps[-1]]):
            yield f"trial {trial.number} was pruned with {trial.value} after the reports {reports}"


def _broken_curves(study: OpenStudy, trials: list[FrozenTrial]) -> Iterator[str]:
    """Trains every finished trial again, undisturbed: on a CPU its scores must be the same, to the last digit."""
    recording = study.recording()
    train, val, cpu = counts_of(recording.train), Val(counts_of(recording.val)), torch.device("cpu")
    for trial in trials:
        if trial.state not in FINISHED:
            continue
        values = sample(FixedTrial(trial.params), study.spec.space, study.spec.architectures)
        architecture, hyper = settings_of(values)
        seed = study.spec.trial_seed(trial.number)
        training = Training(parse_chain(architecture), hyper, study.spec.plan, train, seed, cpu)
        trainer, curve = Trainer(val), {}
        while training.epoch < (trial.last_step or 0):
            (progress,) = trainer.advance([training])
            if isinstance(progress, DivergedError):
                break
            if isinstance(progress, Exception):
                raise progress
            curve[progress.epoch] = progress.co_bps
        if curve != trial.intermediate_values:
            yield f"trial {trial.number} reported {trial.intermediate_values}, and undisturbed it is {curve}"


def _broken_checkpoints(study: OpenStudy, trials: list[FrozenTrial]) -> Iterator[str]:
    complete = [trial for trial in trials if trial.state == TrialState.COMPLETE]
    found = {path.name for path in study.checkpoints.folder.iterdir()}
    expected = {study.checkpoints.best(trial.number).name for trial in complete}
    if found != expected:
        yield f"the checkpoints lack {sorted(expected - found)} and have {sorted(found - expected)} too many"
    for trial in complete:
        try:
            load_network(study, trial)
        except (SearchError, StorageError) as error:
            yield str(error)


def _stray_files(study: OpenStudy, folder: Path, belongs: frozenset[str]) -> Iterator[str]:
    file, artifacts = study.locations.url.sqlite_file, study.locations.artifacts
    own = set() if file is None else {f"{file.name}{ending}" for ending in ("", "-wal", "-shm", ".lock")}
    found = {path.name for path in folder.iterdir()} - own - {artifacts.name} - belongs
    found |= {f"{artifacts.name}/{path.name}" for path in artifacts.iterdir() if path.name != study.name}
    if found:
        yield f"{sorted(found)} do not belong in {folder}"


def _orphans(folder: Path) -> Iterator[str]:
    for process in processes_in(folder):
        yield f"process {process.pid} is still there: {' '.join(process.info['cmdline'] or [])}"


def processes_in(folder: Path) -> list[psutil.Process]:
    """All processes that run in a folder, but this one."""
    found = psutil.process_iter(["cmdline", "cwd", "status"])
    return [
        process
        for process in found
        if process.info["cwd"] == str(folder.resolve())
        and process.info["status"] != psutil.STATUS_ZOMBIE
        and process.pid != os.getpid()
    ]


def _broken_log(log: Path) -> Iterator[str]:
    if log.exists() and "Traceback" in log.read_text():
        yield f"{log} holds a traceback"
