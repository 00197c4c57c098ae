"""The predefined search spaces: the published grid, and a wider space around it."""

from collections.abc import Sequence

from nlb_search.models.architecture.architectures import Architecture
from nlb_search.models.architecture.own.model import OwnModel
from nlb_search.models.hyperparameters import ALLOWED
from nlb_search.models.masking.variant_names import INPUT_SIZES, PUBLISHED_SHAPES, PUBLISHED_VARIANTS
from nlb_search.search.errors import UsageError
from nlb_search.search.sampling.spaces.default_settings import LEAST_DECAY
from nlb_search.search.sampling.spaces.own_ranges import own_ranges
from nlb_search.search.sampling.spaces.range_types import (
    Choice,
    FloatRange,
    IntRange,
    NamedSpace,
    Space,
    ZeroOrFloatRange,
)

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
