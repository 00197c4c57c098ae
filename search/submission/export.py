"""Exports the best trials of studies: as a submission file, and as a model to keep."""

import threading
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from nlb_search.data.inspection.identities import Identities, identities_of
from nlb_search.search.ensembles.members import Ensemble, Member, ensemble_of
from nlb_search.search.ensembles.refit import RefitOptions, refit
from nlb_search.search.ensembles.searched_recording import SearchedRecording, by_recording
from nlb_search.search.ensembles.trial_selection import Selection
from nlb_search.search.ensembles.weighted_networks import WeightedNetwork, mean_rates
from nlb_search.search.export_options import Phase, Phases
from nlb_search.search.exported_models.card import card_of, searched_networks
from nlb_search.search.exported_models.model import Model
from nlb_search.search.exported_models.model_files import NO_MODEL_FILES, ModelFiles
from nlb_search.search.output_paths import check_file
from nlb_search.search.recording_tensors import heldin_of
from nlb_search.search.study.open_study import OpenStudy
from nlb_search.search.study.specification import check_training
from nlb_search.search.submission.rebuild_command import rebuild_command
from nlb_search.search.submission.submission_card import SubmissionCard, write_card
from nlb_search.search.submission.submission_file import (
    CONTENT,
    SETTINGS,
    Prediction,
    is_submission,
    phase_splits,
    write_submission,
)
from nlb_search.search.submission.unit_and_trial_ids import ids_of
from nlb_search.storage.database.retrying import DatabaseRetry


def export_best(
    studies: list[OpenStudy],
    out: Path | None,
    phase: Phases,
    selection: Selection,
    refitting: RefitOptions | None = None,
    model_files: ModelFiles = NO_MODEL_FILES,
) -> None:
    """Write the mean rates of the trials that ``selection`` selects for each recording, their networks, or both.

    The trials of a recording are selected from all of the ``studies`` that searched it in one bin width. ``out`` is a
    submission file, or None; ``model_files`` are those of the networks of one recording. With several trials, the rates
    are averaged, weighted if the selection is an ensemble chosen on val. In phase test, each trial is first retrained
    on train + val with the options ``refitting``. With both phases, the model is that of phase test, and each phase has
    a submission file (``submission_files``).

    Raises SearchError if studies of one dataset searched different recordings, if there are too few complete trials, or
    if a file or folder cannot be written. All of this is checked before training. Raises InterruptedTrainingError if
    training is stopped.
    """
    phases, refitting = phases_of(phase), refitting or RefitOptions()
    files = {} if out is None else submission_files(out, phases)
    for file in files.values():
        check_file(file, is_submission, "a submission")
    recordings = by_recording(studies)
    model_files.check(recordings)
    if "test" in phases:
        for study in studies:
            check_training(study.spec)
    exports = _exports(recordings, tuple(files), selection)
    model_files.check_networks(searched_networks(exports[0].ensemble))
    for each in phases:
        models = [_model(export, each, refitting) for export in exports]
        rebuilding = partial(rebuild_command, studies, phase=each, selection=selection, seeds=refitting.seeds)
        if each in files:
            file = files[each]
            predictions = [_predict(export, each, made) for export, made in zip(exports, models, strict=True)]
            facts = {export.searched.recording.group: _facts(export, selection) for export in exports}
            write_submission(file, predictions, facts)
            command = rebuilding(("--out", file))
            cards = tuple(made.card for made in models)
            write_card(file, SubmissionCard(phase=each, command=tuple(command), datasets=cards))
        if each == phases[-1]:
            model_files.write(models[0], rebuilding)


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
    """What is exported of one recording."""

    searched: SearchedRecording
    ensemble: Ensemble
    identities: Identities


def _exports(recordings: list[SearchedRecording], phases: tuple[Phase, ...], selection: Selection) -> list[_Export]:
    """Check that the recordings have the splits of the phases, and select the ensemble of each."""
    for one in recordings:
        for phase in phases:
            phase_splits(one.recording, phase)
    retry = DatabaseRetry(threading.Event())
    return [
        _Export(one, ensemble_of(one, selection, retry), identities_of(one.recording, one.data, one.settings))
        for one in recordings
    ]


def _model(export: _Export, phase: Phase, refitting: RefitOptions) -> Model:
    """The model to predict with: the networks of the search, or in phase test the retrained networks."""
    ensemble = export.ensemble
    seeds = refitting.seeds if phase == "test" else max(study.spec.seeds for study in export.searched.studies)
    card = card_of(export.searched, export.identities, ensemble, phase, seeds)
    if phase == "val":
        return Model(searched_networks(ensemble), card)
    again = refit([member.loaded for member in ensemble.members], refitting)
    networks = [
        WeightedNetwork(network, member.loaded.settings, member.weight / seeds)
        for member, refits in zip(ensemble.members, again, strict=True)
        for network in refits
    ]
    return Model(tuple(networks), card)


def _predict(export: _Export, phase: Phase, model: Model) -> Prediction:
    recording = export.searched.recording
    trained, evaluated = (mean_rates(model.networks, heldin_of(split)) for split in phase_splits(recording, phase))
    ids = ids_of(export.identities, phase)
    return Prediction(recording, phase, train_rates=trained, eval_rates=evaluated, ids=ids)


def _facts(export: _Export, selection: Selection) -> dict[str, str]:
    """The attributes of the group; for your own recording also those needed to score it: settings and content hash."""
    searched, members = export.searched, export.ensemble.members
    facts = {
        "dataset": searched.recording.name,
        "study": searched.study_names,
        "trials": ", ".join(_trial_name(member, searched) for member in members),
        "weights": ", ".join(f"{member.weight:.4g}" for member in members),
        "chosen_by": selection.criterion,
        "architecture": "; ".join(member.loaded.architecture for member in members),
    }
    if searched.settings is None:
        return facts
    return facts | {SETTINGS: searched.settings.model_dump_json(), CONTENT: searched.recording.content_hash}


def _trial_name(member: Member, searched: SearchedRecording) -> str:
    """The number of the member's trial, after the name of its study if there are several."""
    number = str(member.loaded.trial.number)
    return number if len(searched.studies) == 1 else f"{member.loaded.study.name} {number}"
