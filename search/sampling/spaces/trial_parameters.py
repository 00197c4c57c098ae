"""The settings of a trial, and the parameters of Optuna that represent them."""

from collections.abc import Mapping
from typing import Any

from optuna.trial import BaseTrial

from nlb_search.models.architecture.architectures import parse_architecture
from nlb_search.models.architecture.chain import Chain
from nlb_search.search.sampling.spaces.default_settings import default_values
from nlb_search.search.sampling.spaces.range_types import ARCHITECTURE, Space


def sample(trial: BaseTrial, space: Space, architectures: tuple[str, ...]) -> dict[str, Any]:
    """Suggest a trial's settings: its ``architecture`` and every hyperparameter that it uses."""
    architecture = architectures[0]
    if len(architectures) > 1:
        architecture = trial.suggest_categorical(ARCHITECTURE, architectures)
    uses = parse_architecture(architecture).uses
    values = {name: range_.suggest(trial, name) for name, range_ in space.items() if uses(name)}
    return {ARCHITECTURE: architecture, **values}


def trained_chain(settings: Mapping[str, Any]) -> str:
    """The architecture that is trained with a trial's settings: a chain with the trial's own number of layers."""
    architecture = parse_architecture(settings[ARCHITECTURE])
    if isinstance(architecture, Chain):
        architecture = architecture.with_layers(settings.get("num_layers"))
    return str(architecture)


def start_parameters(space: Space, architectures: tuple[str, ...], number: int = 0) -> dict[str, Any]:
    """The parameters of an architecture's first trial: its default settings. ``number`` is that of the architecture."""
    return parameters_of(space, architectures, number, default_values(parse_architecture(architectures[number])))


def parameters_of(
    space: Space, architectures: tuple[str, ...], number: int, settings: Mapping[str, Any]
) -> dict[str, Any]:
    """The parameters of a trial with these settings. ``number`` is that of the architecture.

    Settings outside the space are left out, so the sampler suggests these parameters.
    """
    parameters: dict[str, Any] = {ARCHITECTURE: architectures[number]} if len(architectures) > 1 else {}
    uses = parse_architecture(architectures[number]).uses
    for name, range_ in space.items():
        if uses(name):
            parameters |= range_.parameters(name, settings[name]) or {}
    return parameters
