"""Creating a study, or opening the existing one after comparing the options."""

import logging
import math
from dataclasses import dataclass, fields, replace
from typing import Any

import torch
from optuna.study import StudyDirection

from nlb_search.data.dandi.provenance import origin
from nlb_search.data.datasets import DATASETS
from nlb_search.data.opening import open_recording
from nlb_search.data.own.recording_settings import RecordingSettings
from nlb_search.data.recording import Recording
from nlb_search.models.architecture.architectures import architectures_named
from nlb_search.models.architecture.chain import Chain
from nlb_search.models.architecture.chain_network import ChainNetwork
from nlb_search.models.architecture.own.checks import check_own_model
from nlb_search.models.architecture.own.model import OwnModel
from nlb_search.models.errors import ChainError
from nlb_search.models.hyperparameters import Hyperparameters
from nlb_search.models.training.training_plan import BATCH_SIZE
from nlb_search.search.creation.copied_trials import valid_trials
from nlb_search.search.creation.differences import (
    OPTION_OF_FIELD,
    architecture_differences,
    differences,
    recording_differences,
    space_differences,
)
from nlb_search.search.creation.recording_objectives import check_objectives
from nlb_search.search.creation.training_length import EVALUATIONS, default_epochs
from nlb_search.search.errors import SearchError, UsageError
from nlb_search.search.objectives import CO_BPS_ALONE, ObjectiveName, is_minimized
from nlb_search.search.recording_tensors import largest_count, sizes_of
from nlb_search.search.sampling.samplers import check_sampler
from nlb_search.search.sampling.sampling_settings import PrunerName, SamplerName
from nlb_search.search.sampling.spaces.predefined_spaces import SPACES, space_for
from nlb_search.search.sampling.spaces.range_types import Choice, NamedSpace, Space
from nlb_search.search.study.first_trials import first_parameters
from nlb_search.search.study.open_study import Locations, OpenStudy, open_named_study
from nlb_search.search.study.own_sources import source_versions
from nlb_search.search.study.recording_location import remember_location
from nlb_search.search.study.specification import SearchSpec, installed_versions
from nlb_search.storage.checkpoints import check_folder
from nlb_search.storage.database.opening import open_database
from nlb_search.storage.studies import check_name, is_complete, make_study

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class StudyRequest:
    """The options of ``launch`` about the study; None for those not given. Architectures are as the user names them.

    ``like`` and ``copy_of`` are names of studies in the same storage.
    """

    dataset: str | None = None
    architectures: tuple[str, ...] | None = None
    trials: int | None = None
    budget_hours: float | None = None
    until_flat: float | None = None
    epochs: int | None = None
    seeds: int | None = None
    keep: int | None = None
    space: NamedSpace | None = None
    sampler: SamplerName | None = None
    pruner: PrunerName | None = None
    objectives: tuple[ObjectiveName, ...] | None = None
    like: str | None = None
    copy_of: str | None = None
    seed: int | None = None
    bin_ms: int | None = None
    recording: RecordingSettings | None = None

    @property
    def given(self) -> dict[str, Any]:
        """The options that were given, by the specification's field; those read from a file are compared separately."""
        values = {field.name: getattr(self, field.name) for field in fields(self) if field.name in OPTION_OF_FIELD}
        return {name: value for name, value in values.items() if value is not None}


def create_or_open(locations: Locations, name: str, request: StudyRequest) -> OpenStudy:
    """Create the study ``name`` from ``request``, or open it if it exists and agrees with ``request``.

    The budgets of an existing study may differ and are not changed: see ``raise_budgets``.

    Nothing is written before everything is checked. Raises UsageError for a new study without dataset, architecture or
    budget, and SearchError if ``request`` differs from the existing study.
    """
    check_name(name)
    if _exists(locations, name):
        return _join(locations, name, request)
    joined, base = request, None
    if request.copy_of is not None:
        base = open_named_study(locations, request.copy_of)
        locations, request = base.locations, with_settings_of(base, request)
    if request.dataset is None or request.architectures is None or request.trials is None:
        missing = [
            OPTION_OF_FIELD[field] for field in ("dataset", "architectures", "trials") if field not in request.given
        ]
        raise UsageError(f"there is no study '{name}' yet: pass {', '.join(missing)} to create it")
    architectures = architectures_named(request.architectures)
    like = None if request.like is None else open_named_study(locations, request.like)
    recording = open_recording(request.dataset, locations.data, request.bin_ms or 5, settings=request.recording)
    named = request.space or NamedSpace("wide", SPACES["wide"])
    space = space_for(named, architectures)
    for architecture in architectures:
        if isinstance(architecture, OwnModel):
            check_own_model(architecture, sizes_of(recording), _input_sizes(space))
        else:
            check_chain(architecture, recording)
    objectives = request.objectives or CO_BPS_ALONE
    check_objectives(objectives, recording)
    epochs = request.epochs or default_epochs(recording.train.n_trials)
    spec = SearchSpec(
        dataset=request.dataset,
        bin_ms=recording.bin_ms,
        content_hash=recording.content_hash,
        recording=None if request.dataset in DATASETS else request.recording or RecordingSettings(),
        architectures=tuple(map(str, architectures)),
        space_name=named.name,
        space=space,
        sampler=request.sampler or "tpe",
        pruner=request.pruner or ("halving" if objectives == CO_BPS_ALONE else "none"),
        objectives=objectives,
        like=request.like,
        copy_of=request.copy_of,
        trials=request.trials,
        budget_hours=request.budget_hours,
        until_flat=request.until_flat,
        epochs=epochs,
        seeds=request.seeds or 1,
        keep=request.keep,
        evaluate_every=math.ceil(epochs / EVALUATIONS),
        batch_size=BATCH_SIZE,
        seed=request.seed or 0,
        versions=installed_versions()
        | origin(request.dataset, locations.data, recording.content_hash)
        | source_versions(architectures),
    )
    check_sampler(spec.sampling)
    _check_until_flat(spec)
    if recording.choices:
        _log.info("%s, defaults used: %s", recording.name, "; ".join(recording.choices))
    if recording.test is None:
        _log.warning("there are no test trials: only --phase val can be exported")
    check_folder(locations.artifacts)
    database, stored, starts = open_database(locations.url), spec.model_dump(mode="json"), first_parameters(spec, like)
    directions: dict[str, StudyDirection] = {objective: _direction(objective) for objective in objectives}
    if base is None:
        make_study(locations.url, database, name, stored, starts, objectives=directions)
    else:
        copied = valid_trials(base, spec)
        starts = copied.without_known(starts)
        if make_study(locations.url, database, name, stored, starts, copied.trials, locations.artifacts, directions):
            for line in copied.as_text():
                _log.info("%s: %s", name, line)
    study = _join(locations, name, joined)
    check_folder(study.checkpoints.folder)
    if study.spec.content_hash == recording.content_hash:  # another process may have created the study
        remember_location(study.study, locations.data)
    return study


def with_settings_of(base: OpenStudy, request: StudyRequest) -> StudyRequest:
    """The request with the settings of the study ``base`` where it has none.

    Ranges of settings that the chains of ``base`` do not use are those of its space, if that is a predefined one.
    """
    spec = base.spec
    space = NamedSpace(spec.space_name, SPACES.get(spec.space_name, {}) | spec.space)
    settings: dict[str, Any] = {name: getattr(spec, name) for name in OPTION_OF_FIELD.keys() - {"like", "copy_of"}}
    settings |= {"trials": base.budget, "budget_hours": base.budget_hours, "space": space}
    if request.dataset in (None, spec.dataset):
        settings["recording"] = spec.recording
    return replace(request, **{name: value for name, value in settings.items() if getattr(request, name) is None})


def _check_until_flat(spec: SearchSpec) -> None:
    """The expected gain is that of co-bps: other objectives may still gain."""
    if spec.until_flat and spec.has_own_objectives:
        raise UsageError(
            f"--until-flat {spec.until_flat:g} ends a search by its gain of co-bps alone, and the study optimizes "
            f"{' and '.join(spec.objectives)}: remove --until-flat, or pass 0 if it comes from --copy-of"
        )


def _direction(objective: ObjectiveName) -> StudyDirection:
    return StudyDirection.MINIMIZE if is_minimized(objective) else StudyDirection.MAXIMIZE


def check_chain(chain: Chain, recording: Recording) -> None:
    """Raise ChainError if the chain cannot be built for the recording, or if its head does not support its counts."""
    sizes = sizes_of(recording)
    ChainNetwork(chain, sizes, Hyperparameters(), torch.zeros(sizes.n_neurons))
    max_spikes = chain.head.max_spikes
    if max_spikes is None:
        return
    largest = max(largest_count(recording.train_val), largest_count(recording.val))
    if largest > max_spikes:
        raise ChainError(
            f"'{chain.head.name}' supports at most {max_spikes} spike per bin, and {recording.name} has bins of "
            f"{recording.bin_ms} ms with {largest}: end the chain in exp"
        )


def _input_sizes(space: Space) -> tuple[str, ...]:
    """The values of ``input_size`` that are searched. Every space has a range for it, which is a choice."""
    searched = space["input_size"]
    assert isinstance(searched, Choice)
    return tuple(map(str, searched.values))


def _exists(locations: Locations, name: str) -> bool:
    path = locations.url.on_disk
    return (path is None or path.exists()) and is_complete(open_database(locations.url), name)


def _join(locations: Locations, name: str, request: StudyRequest) -> OpenStudy:
    study = open_named_study(locations, name)
    apart = ("architectures", "trials", "budget_hours")
    changed = differences(study.spec, {field: value for field, value in request.given.items() if field not in apart})
    if request.architectures is not None:
        changed += architecture_differences(study.spec, request.architectures)
    if request.space is not None:
        changed += space_differences(study.spec, request.space)
    if request.recording is not None:
        changed += recording_differences(study.spec, request.recording)
    if changed:
        raise SearchError(
            f"the study '{name}' was created with {'; with '.join(changed)}: remove the option, or choose another name"
        )
    return study


def raise_budgets(study: OpenStudy, trials: int | None, hours: float | None) -> None:
    """Raise the budgets of a study to those that are given, if they are smaller. Raises SearchError if one is larger.

    The budgets with which the study was created are always accepted: a cluster repeats the command that created it.
    """
    if trials is not None:
        _raise_trials(study, trials)
    if hours is not None:
        _raise_hours(study, hours)


def _raise_trials(study: OpenStudy, trials: int) -> None:
    budget = study.budget
    if trials > budget:
        study.change_budget(trials)
    elif trials not in (budget, study.spec.trials):
        raise SearchError(
            f"the study '{study.name}' has a budget of {budget} trials, more than --trials {trials}: "
            f"remove the option, or lower the budget with `nlb-search resume {study.name} --trials {trials}`"
        )


def _raise_hours(study: OpenStudy, hours: float) -> None:
    budget = study.budget_hours
    if budget is not None and hours > budget:
        study.change_budget_hours(hours)
    elif hours not in (budget, study.spec.budget_hours):
        present = "no budget of hours" if budget is None else f"a budget of {budget:g} hours"
        raise SearchError(
            f"the study '{study.name}' has {present}, but --budget-hours is {hours:g}: remove the option, or run "
            f"`nlb-search resume {study.name} --budget-hours {hours:g}`"
        )
