"""Exports the best trials of studies: as a submission file, and as a model to keep."""

import logging
import threading
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from nlb_search.data.inspection.identities import Identities, identities_of
from nlb_search.data.recording import Recording
from nlb_search.search.ensembles.members import Member, select_members
from nlb_search.search.ensembles.refit import RefitOptions, refit
from nlb_search.search.ensembles.selection import Selection
from nlb_search.search.ensembles.weighted_networks import WeightedNetwork, mean_rates
from nlb_search.search.errors import SearchError
from nlb_search.search.export_options import Phase, Phases
from nlb_search.search.exported_models.card import card_of, searched_networks
from nlb_search.search.exported_models.kept_model import NOT_KEPT, Kept
from nlb_search.search.exported_models.model import Model
from nlb_search.search.output_paths import check_file
from nlb_search.search.recording_tensors import heldin_of
from nlb_search.search.study.open_study import OpenStudy
from nlb_search.search.study.specification import check_training
from nlb_search.search.submission.rebuild_command import rebuild_command
from nlb_search.search.submission.submission_card import SubmissionCard, write_card
from nlb_search.search.submission.submission_file import (
    CONTENT,
    SETTINGS,
    Integers,
    Prediction,
    is_submission,
    phase_splits,
    write_submission,
)
from nlb_search.storage.database.retrying import DatabaseRetry

_log = logging.getLogger(__name__)


def export_best(
    studies: list[OpenStudy],
    out: Path | None,
    phase: Phases,
    selection: Selection,
    refitting: RefitOptions | None = None,
    kept: Kept = NOT_KEPT,
) -> None:
    """Write the mean rates of the trials that ``selection`` selects in each study, the networks themselves, or both.

    ``out`` is a submission file, or None; ``kept`` says where the networks of one study are kept. With several trials,
    the rates are averaged, weighted if the selection is an ensemble chosen on val. In phase test, each trial is first
    trained again on train + val, as ``refitting`` says. With both phases, the networks of phase test are kept, and each
    phase has a submission file (``submission_files``).

    Raises SearchError if two studies are of one dataset, if a study has too few complete trials, or if a file or folder
    cannot be written. All of this is checked before training. Raises InterruptedTrainingError if training is stopped.
    """
    phases, refitting = phases_of(phase), refitting or RefitOptions()
    files = {} if out is None else submission_files(out, phases)
    for file in files.values():
        check_file(file, is_submission, "a submission")
    kept.check(studies)
    if "test" in phases:
        for study in studies:
            check_training(study.spec)
    exports = _exports(studies, tuple(files), selection)
    for each in phases:
        models = [_model(export, each, refitting) for export in exports]
        rebuilding = partial(rebuild_command, studies, phase=each, selection=selection, seeds=refitting.seeds)
        if each in files:
            file = files[each]
            predictions = [_predict(export, each, made) for export, made in zip(exports, models, strict=True)]
            write_submission(file, predictions, {one.recording.group: _facts(one, selection) for one in exports})
            command = rebuilding(("--out", file))
            cards = tuple(made.card for made in models)
            write_card(file, SubmissionCard(phase=each, command=tuple(command), datasets=cards))
        if each == phases[-1]:
            kept.write(models[0], rebuilding)


def phases_of(phase: Phases) -> tuple[Phase, ...]:
    """The phases that a value of --phase stands for, in order."""
    return ("val", "test") if phase == "both" else (phase,)


def submission_files(out: Path, phases: tuple[Phase, ...]) -> dict[Phase, Path]:
    """The submission file of each phase: ``out``, or for several ``OUT.val.h5`` and ``OUT.test.h5``.

    The format of the benchmark has one group per dataset and the same names of arrays in both phases, so that one file
    cannot hold both.
    """
    if len(phases) == 1:
        return {phases[0]: out}
    return {phase: out.with_name(f"{out.stem}.{phase}{out.suffix}") for phase in phases}


@dataclass(frozen=True)
class _Export:
    """What is exported of one study. ``identities`` are known for your own recording."""

    study: OpenStudy
    recording: Recording
    members: list[Member]
    identities: Identities | None


def _exports(studies: list[OpenStudy], phases: tuple[Phase, ...], selection: Selection) -> list[_Export]:
    """Open the recordings, check that they have the splits of the phases, and select the members of each study."""
    retry = DatabaseRetry(threading.Event())
    recordings = [study.recording() for study in studies]
    groups = [recording.group for recording in recordings]
    repeated = {group for group in groups if groups.count(group) > 1}
    if repeated:
        raise SearchError(f"two studies are of {', '.join(repeated)}, and a submission contains each dataset once")
    for recording in recordings:
        for phase in phases:
            phase_splits(recording, phase)
    exports = [
        _Export(study, recording, select_members(study, recording, selection, retry), _identities(study, recording))
        for study, recording in zip(studies, recordings, strict=True)
    ]
    for export in exports:
        _log_members(export)
    return exports


def _log_members(export: _Export) -> None:
    for member in export.members:
        number, architecture = member.finalist.trial.number, member.finalist.architecture
        weight = "" if len(export.members) == 1 else f", weight {member.weight:.2f}"
        name, score = export.study.name, member.finalist.progress.co_bps
        _log.info("%s: trial %d, %s, co-bps %.4f on val%s", name, number, architecture, score, weight)


def _model(export: _Export, phase: Phase, refitting: RefitOptions) -> Model:
    """The model to predict with: the networks of the search, or in phase test those trained again."""
    members, seeds = export.members, refitting.seeds if phase == "test" else export.study.spec.seeds
    card = card_of(export.study, export.recording, export.identities, members, phase, seeds)
    if phase == "val":
        return Model(searched_networks(members), card)
    again = refit(export.study, [member.finalist for member in members], refitting)
    networks = [
        WeightedNetwork(network, member.finalist.settings, member.weight / seeds)
        for member, refits in zip(members, again, strict=True)
        for network in refits
    ]
    return Model(tuple(networks), card)


def _predict(export: _Export, phase: Phase, model: Model) -> Prediction:
    trained, evaluated = (
        mean_rates(model.networks, heldin_of(split)) for split in phase_splits(export.recording, phase)
    )
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
