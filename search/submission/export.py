"""Exports the best trials of studies: as a submission file, and as a model to keep."""

import logging
import os
import threading
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nlb_search.data.inspection.identities import Identities, identities_of
from nlb_search.data.recording import Recording
from nlb_search.search.errors import SearchError, UsageError
from nlb_search.search.recording_tensors import heldin_of
from nlb_search.search.study.open_study import OpenStudy
from nlb_search.search.submission.card import card_of
from nlb_search.search.submission.members import Member, select_members
from nlb_search.search.submission.model import Model
from nlb_search.search.submission.model_folder import check_new_folder, save_model
from nlb_search.search.submission.option_values import Phase
from nlb_search.search.submission.refit import refit
from nlb_search.search.submission.selection import Selection
from nlb_search.search.submission.submission_file import (
    CONTENT,
    SETTINGS,
    Integers,
    Prediction,
    is_submission,
    phase_splits,
    write_submission,
)
from nlb_search.search.submission.weighted_networks import WeightedNetwork, mean_rates
from nlb_search.storage.database.retrying import DatabaseRetry

_log = logging.getLogger(__name__)


def export_best(
    studies: list[OpenStudy],
    out: Path | None,
    phase: Phase,
    selection: Selection,
    seeds: int = 1,
    model: Path | None = None,
) -> None:
    """Write the mean rates of the trials that ``selection`` selects in each study, the networks themselves, or both.

    ``out`` is a submission file, ``model`` a folder for the networks of one study; one of them may be None. With
    several trials, the rates are averaged, weighted if the selection is an ensemble chosen on val. In phase test, each
    trial is first trained again on train + val, ``seeds`` times with different seeds.

    Raises SearchError if two studies are of one dataset, if a study has too few complete trials, or if ``out`` or
    ``model`` cannot be written. All of this is checked before training.
    """
    if out is not None:
        _check_path(out)
    if model is not None:
        _check_model(model, studies)
    retry = DatabaseRetry(threading.Event())
    recordings = [study.recording() for study in studies]
    groups = [recording.group for recording in recordings]
    repeated = {group for group in groups if groups.count(group) > 1}
    if repeated:
        raise SearchError(f"two studies are of {', '.join(repeated)}, and a submission contains each dataset once")
    if out is not None:
        for recording in recordings:
            phase_splits(recording, phase)
    exports = [
        _Export(study, recording, select_members(study, recording, selection, retry), _identities(study, recording))
        for study, recording in zip(studies, recordings, strict=True)
    ]
    networks = [_networks(export, phase, seeds) for export in exports]
    if out is not None:
        predictions = [_predict(export, phase, of_study) for export, of_study in zip(exports, networks, strict=True)]
        write_submission(out, predictions, {export.recording.group: _facts(export, selection) for export in exports})
    if model is not None:
        [export], [of_study] = exports, networks
        card = card_of(export.study, export.recording, export.identities, export.members, phase, seeds)
        save_model(model, Model(of_study, card))


@dataclass(frozen=True)
class _Export:
    """What is exported of one study. ``identities`` are known for your own recording."""

    study: OpenStudy
    recording: Recording
    members: list[Member]
    identities: Identities | None


def _networks(export: _Export, phase: Phase, seeds: int) -> tuple[WeightedNetwork, ...]:
    """The networks to predict with, and their weights: those of the search, or in phase test those trained again."""
    for member in export.members:
        trial, architecture = member.finalist.trial, member.finalist.architecture
        weight = "" if len(export.members) == 1 else f", weight {member.weight:.2f}"
        name = export.study.name
        _log.info("%s: trial %d, %s, co-bps %.4f on val%s", name, trial.number, architecture, trial.value, weight)
    finalists = [(member.finalist, member.weight) for member in export.members]
    if phase == "val":
        return tuple(WeightedNetwork(finalist.network, finalist.settings, weight) for finalist, weight in finalists)
    return tuple(
        WeightedNetwork(refit(export.study, finalist, repeat), finalist.settings, weight / seeds)
        for finalist, weight in finalists
        for repeat in range(seeds)
    )


def _predict(export: _Export, phase: Phase, networks: tuple[WeightedNetwork, ...]) -> Prediction:
    trained, evaluated = (mean_rates(networks, heldin_of(split)) for split in phase_splits(export.recording, phase))
    names = {} if export.identities is None else _names(export.identities, phase)
    return Prediction(export.recording, phase, train_rates=trained, eval_rates=evaluated, names=names)


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


def _identities(study: OpenStudy, recording: Recording) -> Identities | None:
    """The units and trials of your own recording, as its file calls them."""
    settings = study.spec.recording
    return None if settings is None else identities_of(recording, study.locations.data, settings)


def _names(known: Identities, phase: Phase) -> dict[str, Integers]:
    """The units and, if there is a trial table, the rows of the trials, as the rates have them."""
    names = {"heldin_units": known.heldin, "heldout_units": known.heldout}
    if known.train_val:
        trained = known.trials["train"] if phase == "val" else known.train_val
        names |= {"train_trials": trained, "eval_trials": known.trials[phase]}
    return {name: np.array(numbers, dtype=np.int64) for name, numbers in names.items()}


def _check_model(model: Path, studies: list[OpenStudy]) -> None:
    if len(studies) > 1:
        raise UsageError(f"--model keeps the model of one study, and {len(studies)} are given: export them one by one")
    check_new_folder(model)


def _check_path(out: Path) -> None:
    if out.is_dir():
        raise SearchError(f"{out} is a folder: name a file, like {out / 'submission.h5'}")
    if not out.parent.is_dir():
        raise SearchError(f"the folder {out.parent} does not exist: create it, or name another file with --out")
    if out.exists() and not is_submission(out):
        raise SearchError(f"{out} exists and is not a submission, so it is not replaced: name another file with --out")
    if not os.access(out.parent, os.W_OK):
        raise SearchError(f"the folder {out.parent} cannot be written to: name another file with --out")
