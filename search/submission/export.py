"""Exports the best trials of studies to a submission file."""

import logging
import os
import threading
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from nlb_search.data.inspection.identities import identities_of
from nlb_search.data.recording import Recording
from nlb_search.models.architecture.network import Network, predict
from nlb_search.search.errors import SearchError
from nlb_search.search.recording_tensors import heldin_of
from nlb_search.search.study.open_study import OpenStudy
from nlb_search.search.study.specification import check_training
from nlb_search.search.submission.members import Member, select_members
from nlb_search.search.submission.option_values import Phase
from nlb_search.search.submission.refit import RefitOptions, refit
from nlb_search.search.submission.selection import Selection
from nlb_search.search.submission.submission_file import (
    CONTENT,
    SETTINGS,
    Integers,
    Prediction,
    Rates,
    is_submission,
    phase_splits,
    write_submission,
)
from nlb_search.search.workers.devices import training_device
from nlb_search.storage.database.retrying import DatabaseRetry

_log = logging.getLogger(__name__)


def export_best(
    studies: list[OpenStudy], out: Path, phase: Phase, selection: Selection, refitting: RefitOptions | None = None
) -> None:
    """Write a submission with the mean rates of the trials that ``selection`` selects in each study.

    With several trials, the rates are averaged, weighted if the selection is an ensemble chosen on val. In phase test,
    each trial is first trained again on train + val, as ``refitting`` says.

    Raises SearchError if two studies are of one dataset, if a study has too few complete trials, or if ``out`` cannot
    be written. All of this is checked before training. Raises InterruptedTrainingError if training is stopped.
    """
    _check_path(out)
    retry = DatabaseRetry(threading.Event())
    for study in studies:
        if phase == "test":
            check_training(study.spec)
    recordings = [study.recording() for study in studies]
    groups = [recording.group for recording in recordings]
    repeated = {group for group in groups if groups.count(group) > 1}
    if repeated:
        raise SearchError(f"two studies are of {', '.join(repeated)}, and a submission contains each dataset once")
    for recording in recordings:
        phase_splits(recording, phase)
    exports = [
        _Export(study, recording, select_members(study, recording, selection, retry), _names(study, recording, phase))
        for study, recording in zip(studies, recordings, strict=True)
    ]
    predictions = [_predict(export, phase, refitting or RefitOptions()) for export in exports]
    write_submission(out, predictions, {export.recording.group: _facts(export, selection) for export in exports})


@dataclass(frozen=True)
class _Export:
    """What is exported of one study; ``names`` are the ids of units and the rows of trials, if they are known."""

    study: OpenStudy
    recording: Recording
    members: list[Member]
    names: dict[str, Integers]


def _predict(export: _Export, phase: Phase, refitting: RefitOptions) -> Prediction:
    for member in export.members:
        number, architecture = member.finalist.trial.number, member.finalist.architecture
        weight = "" if len(export.members) == 1 else f", weight {member.weight:.2f}"
        name, score = export.study.name, member.finalist.progress.co_bps
        _log.info("%s: trial %d, %s, co-bps %.4f on val%s", name, number, architecture, score, weight)
    trained, evaluated = phase_splits(export.recording, phase)
    networks = _networks(export.study, export.members, phase, refitting)
    return Prediction(
        export.recording,
        phase,
        train_rates=_mean_rates(networks, heldin_of(trained)),
        eval_rates=_mean_rates(networks, heldin_of(evaluated)),
        names=export.names,
    )


def _facts(export: _Export, selection: Selection) -> dict[str, str]:
    """The attributes of the group; for your own recording also those needed to score it: settings and content hash."""
    members, settings = export.members, export.study.spec.recording
    facts = {
        "dataset": export.recording.name,
        "study": export.study.name,
        "trials": ", ".join(str(member.finalist.trial.number) for member in members),
        "weights": ", ".join(f"{member.weight:.4g}" for member in members),
        "chosen_by": selection.judge,
        "architecture": "; ".join(member.finalist.architecture for member in members),
    }
    if settings is None:
        return facts
    return facts | {SETTINGS: settings.model_dump_json(), CONTENT: export.study.spec.content_hash}


def _names(study: OpenStudy, recording: Recording, phase: Phase) -> dict[str, Integers]:
    """The units of your own recording and, if it has a trial table, the rows of the trials, as the rates have them."""
    settings = study.spec.recording
    if settings is None:
        return {}
    known = identities_of(recording, study.locations.data, settings)
    names = {"heldin_units": known.heldin, "heldout_units": known.heldout}
    if known.train_val:
        trained = known.trials["train"] if phase == "val" else known.train_val
        names |= {"train_trials": trained, "eval_trials": known.trials[phase]}
    return {name: np.array(numbers, dtype=np.int64) for name, numbers in names.items()}


def _check_path(out: Path) -> None:
    if out.is_dir():
        raise SearchError(f"{out} is a folder: name a file, like {out / 'submission.h5'}")
    if not out.parent.is_dir():
        raise SearchError(f"the folder {out.parent} does not exist: create it, or name another file with --out")
    if out.exists() and not is_submission(out):
        raise SearchError(f"{out} exists and is not a submission, so it is not replaced: name another file with --out")
    if not os.access(out.parent, os.W_OK):
        raise SearchError(f"the folder {out.parent} cannot be written to: name another file with --out")


def _networks(
    study: OpenStudy, members: list[Member], phase: Phase, refitting: RefitOptions
) -> list[tuple[Network, float]]:
    """The networks to predict with, and their weights: those of the search, or in phase test those trained again."""
    if phase == "val":
        return [(member.finalist.network, member.weight) for member in members]
    again = refit(study, [member.finalist for member in members], refitting)
    return [
        (network, member.weight / len(networks))
        for member, networks in zip(members, again, strict=True)
        for network in networks
    ]


def _mean_rates(networks: list[tuple[Network, float]], heldin: torch.Tensor) -> Rates:
    heldin = heldin.to(training_device())
    # A generator, because the rates of all networks together may take gigabytes.
    weighted = (np.float32(weight) * predict(network, heldin).cpu().numpy() for network, weight in networks)
    mean: Rates = sum(weighted, start=np.zeros(1, np.float32))
    return mean
