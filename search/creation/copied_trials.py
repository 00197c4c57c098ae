"""The finished trials of a study that are still valid in a new study with other settings, which copies them."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from optuna.trial import FixedTrial, FrozenTrial, TrialState

from nlb_search.models.architecture.architectures import parse_architecture
from nlb_search.models.hyperparameters import Hyperparameters
from nlb_search.search.errors import SearchError
from nlb_search.search.objectives import values_of
from nlb_search.search.sampling.spaces.range_types import ARCHITECTURE
from nlb_search.search.sampling.spaces.trial_parameters import sample
from nlb_search.search.study.open_study import OpenStudy
from nlb_search.search.study.removed_networks import REMOVED_KEY, removed_networks
from nlb_search.search.study.specification import SearchSpec
from nlb_search.search.trials.trial_attributes import ORIGIN_KEY
from nlb_search.search.trials.trial_scores import SCORE_KEY, score_of
from nlb_search.search.trials.trial_seeds import SEED_KEY
from nlb_search.storage.claims.lost_workers import LOST_WORKERS_KEY
from nlb_search.storage.claims.owner import OWNER_KEY
from nlb_search.storage.claims.time_used import SECONDS_KEY
from nlb_search.storage.claims.trial_counts import FINISHED
from nlb_search.storage.initial_trials import InitialTrial, InitialTrials

_OF_WORKERS = (OWNER_KEY, LOST_WORKERS_KEY, SECONDS_KEY)
"""User attributes about the workers of the original study, whose time does not count in the new one."""


@dataclass(frozen=True)
class CopiedTrials:
    """The trials that are copied, and how many are not, by reason."""

    study: str
    trials: InitialTrials
    rejected: Counter[str]

    def as_text(self) -> list[str]:
        """Lines for the user."""
        n_copied = len(self.trials.trials)
        lines = [f"copied {n_copied} of the {n_copied + self.rejected.total()} trials of '{self.study}'"]
        return lines + [f"{number} not copied: {reason}" for reason, number in self.rejected.most_common()]

    def without_known(self, starts: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """The parameters of first trials, without those that a copied trial has already."""
        known = [one.trial.params for one in self.trials.trials]
        return [start for start in starts if not any(start.items() <= params.items() for params in known)]


def valid_trials(base: OpenStudy, spec: SearchSpec) -> CopiedTrials:
    """The finished trials of ``base`` that a study with the specification ``spec`` can copy, in their order."""
    copied: list[InitialTrial] = []
    removed: list[int] = []
    rejected: Counter[str] = Counter()
    other_training = next(_differences(base.spec, spec), None)
    for trial in base.study.get_trials(deepcopy=False):
        found = other_training or _copied(base, trial, spec)
        if isinstance(found, str):
            rejected[found] += 1
            continue
        if found.networks is None:
            removed.append(len(copied))
        copied.append(found)
    return CopiedTrials(base.name, InitialTrials(copied, {REMOVED_KEY: removed} if removed else {}), rejected)


def _differences(old: SearchSpec, new: SearchSpec) -> Iterator[str]:
    """Why no trial of a study with the specification ``old`` is valid in one with ``new``."""
    if new.sampler == "grid":
        yield "a grid assigns a combination to every trial number"
    if (old.content_hash, old.bin_ms) != (new.content_hash, new.bin_ms):
        yield "they were trained on another recording, or with other settings of the recording"
    if (old.definitions.network, old.definitions.training) != (new.definitions.network, new.definitions.training):
        yield f"nlb-search {old.versions['nlb-search']} trained them with another definition"
    if old.plan != new.plan:
        yield (
            f"they were trained for up to {old.epochs} epochs in batches of {old.batch_size}, "
            f"not {new.epochs} in batches of {new.batch_size}"
        )
    if old.seeds != new.seeds:
        yield f"they were trained with --seeds {old.seeds}, not {new.seeds}"


def _copied(base: OpenStudy, trial: FrozenTrial, spec: SearchSpec) -> InitialTrial | str:
    """A trial as the new study has it, or why it is not copied."""
    if trial.state not in FINISHED:
        return "failed" if trial.state == TrialState.FAIL else "not finished"
    # Suggesting from a finished trial returns its own parameters.
    settings = sample(trial, base.spec.space, base.spec.architectures)
    found = _parameters(settings, spec)
    if isinstance(found, str):
        return found
    values = _values(trial, spec)
    if isinstance(values, str):
        return values
    networks = base.checkpoints.best(trial.number)
    is_lost = not networks.exists() and trial.number not in removed_networks(base)
    if is_lost and trial.state == TrialState.COMPLETE:
        return f"their networks are not in {base.checkpoints.folder}"
    attributes = {key: value for key, value in trial.user_attrs.items() if key not in (*_OF_WORKERS, SCORE_KEY)}
    if spec.has_own_objectives:
        attributes[SCORE_KEY] = score_of(trial)
    origin = {ORIGIN_KEY: f"{base.name}, trial {trial.number}", SEED_KEY: base.network_seed(trial)}
    copy = FrozenTrial(
        number=-1,  # the new study assigns it
        trial_id=-1,
        state=trial.state,
        value=None,
        values=values,
        datetime_start=trial.datetime_start,
        datetime_complete=trial.datetime_complete,
        params=found.params,
        distributions=found.distributions,
        user_attrs=attributes | origin,
        system_attrs={},
        intermediate_values=trial.intermediate_values,
    )
    return InitialTrial(copy, networks if networks.exists() else None)


def _values(trial: FrozenTrial, spec: SearchSpec) -> Sequence[float] | str | None:
    """The values of a finished trial for the objectives of the new study, or why it cannot have them."""
    if trial.state == TrialState.PRUNED:
        return "pruned, but trials are not pruned with these objectives" if spec.has_own_objectives else trial.values
    try:
        return values_of(spec.objectives, trial.user_attrs | {SCORE_KEY: score_of(trial)})
    except SearchError as error:
        return str(error)


def _parameters(settings: dict[str, Any], spec: SearchSpec) -> FixedTrial | str:
    """The parameters and distributions of these settings in the new study, or why it cannot have them."""
    architecture = settings[ARCHITECTURE]
    if architecture not in spec.architectures:
        return f"the study does not search {architecture}"
    not_searched = asdict(Hyperparameters())
    effective, uses = not_searched | settings, parse_architecture(architecture).uses
    parameters: dict[str, Any] = {ARCHITECTURE: architecture} if len(spec.architectures) > 1 else {}
    for name in filter(uses, spec.space):
        setting = effective.get(name)
        of_setting = None if setting is None else spec.space[name].parameters(name, setting)
        if of_setting is None:
            return f"{name} outside the space"
        parameters |= of_setting
    trial = FixedTrial(parameters)
    sampled = sample(trial, spec.space, spec.architectures)
    for name in settings:
        if name not in sampled and settings[name] != not_searched.get(name):
            return f"{name} is not searched, and has another default"
    return trial
