"""Enqueueing trials with settings that the user chose: the workers of a study run them next."""

from collections.abc import Mapping, Sequence
from typing import Any

from nlb_search.models.architecture.architectures import architectures_named, parse_architecture
from nlb_search.models.architecture.own.model import OwnModel
from nlb_search.models.hyperparameters import ALLOWED, Allowed, shown
from nlb_search.search.errors import SearchError, UsageError
from nlb_search.search.sampling.spaces.range_types import ARCHITECTURE
from nlb_search.search.study.first_trials import best_parameters
from nlb_search.search.study.open_study import OpenStudy
from nlb_search.search.study.specification import SearchSpec
from nlb_search.storage.claims.trial_counts import started_count, waiting_count


def checked_parameters(spec: SearchSpec, settings: Mapping[str, Any]) -> dict[str, Any]:
    """The trial parameters of ``settings``, which may be texts, by name; settings that are left out are sampled.

    Raises UsageError for a setting that the study does not search or that the chain does not use, and for a value
    outside the study's space.
    """
    if not settings:
        raise UsageError("a trial needs at least one setting, such as lr=0.01")
    chains = _chains(spec, settings.get(ARCHITECTURE))
    parameters: dict[str, Any] = {ARCHITECTURE: chains[0]} if len(spec.architectures) > len(chains) else {}
    for name, value in settings.items():
        if name != ARCHITECTURE:
            parameters |= _parameters(spec, chains, name, value)
    return parameters


def parameters_from(study: OpenStudy, other: OpenStudy, best: int) -> list[dict[str, Any]]:
    """The parameters of the best trials of another study. Raises SearchError if none of them fits this study."""
    found = best_parameters(study.spec, other, best)
    if not found:
        raise SearchError(
            f"no finished trial of '{other.name}' has a chain and settings of the study '{study.name}', "
            f"which searches {' and '.join(study.spec.architectures)}: choose another study with --from"
        )
    return found


def enqueue(study: OpenStudy, trials: Sequence[Mapping[str, Any]]) -> None:
    """Add trials with these parameters. Workers run them before those that the sampler suggests.

    Raises SearchError for a grid, which assigns a combination to every trial number.
    """
    if study.spec.sampler == "grid":
        raise SearchError(
            f"the study '{study.name}' uses the grid sampler: enqueue trials in a study with another sampler"
        )
    for parameters in trials:
        study.study.enqueue_trial(dict(parameters))


def budget_for_waiting(study: OpenStudy) -> int | None:
    """The budget with which all waiting trials run, or None if the present budget is enough."""
    needed = started_count(study.study) + waiting_count(study.study)
    return needed if needed > study.budget else None


def _chains(spec: SearchSpec, given: object) -> tuple[str, ...]:
    """The given chain, or all chains of the study."""
    if given is None:
        return spec.architectures
    chains = tuple(map(str, architectures_named([str(given)])))
    if len(chains) != 1 or chains[0] not in spec.architectures:
        raise UsageError(
            f"{ARCHITECTURE} = {given} is not a chain of the study: choose one of {'; '.join(spec.architectures)}"
        )
    return chains


def _parameters(spec: SearchSpec, chains: tuple[str, ...], name: str, value: Any) -> dict[str, Any]:
    """The trial parameters of one setting."""
    if name not in spec.space:
        searched = ", ".join([*spec.space, *([ARCHITECTURE] if len(spec.architectures) > 1 else [])])
        raise UsageError(f"the study does not search '{name}': choose from {searched}")
    for chain in chains:
        if not parse_architecture(chain).uses(name):
            others = "" if len(chains) == 1 else f", or choose another chain with {ARCHITECTURE}"
            raise UsageError(f"{name} is not used by {chain}: remove it{others}")
    allowed = _allowed(chains[0], name)
    try:
        setting = allowed.read(_typed(allowed.type, value))
    except ValueError as error:
        raise UsageError(f"{name} {error}") from error
    found = spec.space[name].parameters(name, setting)
    if found is None:
        raise UsageError(f"{name} = {shown(setting)} is outside the study's space: choose from {spec.space[name]}")
    return found


def _allowed(architecture: str, name: str) -> Allowed:
    """The valid values of a setting. Raises OwnModelError if it is that of a model that cannot be imported."""
    model = parse_architecture(architecture)
    if name in ALLOWED or not isinstance(model, OwnModel):
        return ALLOWED[name]
    return model.settings()[name].allowed


def _typed(kind: type[bool | int | float | str], value: Any) -> Any:
    """A value written as text, converted to its type; unchanged if it is not such a text."""
    if not isinstance(value, str) or kind is str:
        return value
    if kind is bool:
        return {"true": True, "false": False}.get(value.lower(), value)
    try:
        return kind(value)
    except ValueError:
        return value
