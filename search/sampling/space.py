"""The predefined search spaces: the published grid, and a wider space around it."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from optuna.trial import BaseTrial

from nlb_search.models.architecture.architectures import Architecture, parse_architecture
from nlb_search.models.architecture.chain import Chain
from nlb_search.models.architecture.own.model import OwnModel
from nlb_search.models.blocks import BLOCKS
from nlb_search.models.blocks.attention import Attention
from nlb_search.models.blocks.recurrent import Recurrent
from nlb_search.models.hyperparameters import ALLOWED, Hyperparameters
from nlb_search.models.masking.variant_names import INPUT_SIZES, PUBLISHED_SHAPES, PUBLISHED_VARIANTS
from nlb_search.models.training.training_plan import BATCH_SIZE
from nlb_search.search.errors import UsageError
from nlb_search.search.sampling.own_ranges import own_ranges
from nlb_search.search.sampling.ranges import (
    ARCHITECTURE,
    Choice,
    FloatRange,
    IntRange,
    NamedSpace,
    Space,
    ZeroOrFloatRange,
)

LEAST_DECAY = 0.03
"""Weight decay with almost no effect: it removes less than a tenth of a weight during the whole training."""

SPACES: dict[str, Space] = {
    "paper": {
        "lr": Choice(values=(0.0005, 0.001, 0.005, 0.01, 0.015)),
        "dropout": Choice(values=(0.46, 0.5, 0.6)),
        "l2_weight": Choice(values=(0.0, 5e-7, 5e-8)),
        "hidden": Choice(values=(32, 40, 64)),
        "num_layers": Choice(values=(1, 2, 3)),
        "bidirectional": Choice(values=(True, False)),
        "input_size": Choice(values=INPUT_SIZES),
        "mask_ratio": Choice(values=(0.25, 0.27, 0.30)),
        "mask_variant": Choice(values=PUBLISHED_VARIANTS),
    },
    "wide": {
        "lr": FloatRange(low=0.0005, high=0.03, log=True),
        "dropout": FloatRange(low=0.2, high=0.7),
        # A larger one is harmful where gradients are small: 1e-4 lost 0.07 of 0.22 on the rat motor cortex.
        "l2_weight": ZeroOrFloatRange(low=1e-8, high=1e-6),
        "weight_decay": FloatRange(low=LEAST_DECAY, high=3, log=True),
        "hidden": IntRange(low=24, high=96),
        "num_layers": Choice(values=(1, 2, 3)),
        "bidirectional": Choice(values=(True, False)),
        "input_size": Choice(values=INPUT_SIZES),
        "mask_ratio": FloatRange(low=0.1, high=0.6),
        "mask_variant": Choice(values=(*PUBLISHED_VARIANTS, *PUBLISHED_SHAPES)),
    },
}


def space_for(named: NamedSpace, architectures: Sequence[Architecture]) -> Space:
    """The ranges of the settings that at least one of the architectures uses.

    Raises UsageError if the user set the range of a setting that none uses, or one that a user's model does not have,
    and OwnModelError if a model cannot be imported.
    """
    used = {name for name in ALLOWED if any(architecture.uses(name) for architecture in architectures)}
    unused = named.written - used
    if unused:
        are, them = ("is", "it") if len(unused) == 1 else ("are", "them")
        raise UsageError(
            f"{named.name}: {', '.join(sorted(unused))} {are} not used by {' or '.join(map(str, architectures))}: "
            f"remove {them}, or add a chain that uses {them}"
        )
    space = {parameter: range_ for parameter, range_ in named.ranges.items() if parameter in used}
    models = {model.name: model for model in architectures if isinstance(model, OwnModel)}
    for table in named.tables:
        if table not in models:
            raise UsageError(
                f"{named.name}: '{table}' is neither a setting nor the class of a model with --arch MODULE:{table}: "
                f"choose one of {', '.join([*ALLOWED, *models])}"
            )
    for name, model in models.items():
        space |= own_ranges(model, named.name, named.tables.get(name, {}))
    return space


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


def default_values(architecture: Architecture) -> dict[str, Any]:
    """The default of every setting by its name in the study. Raises OwnModelError if a model cannot be imported."""
    if isinstance(architecture, OwnModel):
        own = {name: setting.default for name, setting in architecture.settings().items()}
        return asdict(Hyperparameters(weight_decay=LEAST_DECAY, batch_size=BATCH_SIZE)) | own
    return asdict(default_settings(architecture))


def default_settings(chain: Chain) -> Hyperparameters:
    """The default settings of a chain, chosen on many recordings (benchmarks.quality.settings).

    Chains with attention and without a recurrent layer have a lower learning rate and dropout. Weight decay was
    measured for recurrent chains alone.
    """
    recurrent = [link for link in chain.links if issubclass(BLOCKS[link.name], Recurrent)]
    if recurrent:
        layers = next((link.layers for link in recurrent if link.layers), 1)
        return Hyperparameters(lr=0.005, weight_decay=0.3, hidden=76, num_layers=layers, batch_size=BATCH_SIZE)
    if any(issubclass(BLOCKS[link.name], Attention) for link in chain.links):
        return Hyperparameters(lr=0.002, dropout=0.2, weight_decay=LEAST_DECAY, batch_size=BATCH_SIZE)
    return Hyperparameters(weight_decay=LEAST_DECAY, batch_size=BATCH_SIZE)
