"""Settings to try before the sampler learns, because together they are good on many recordings.

Chosen with ``benchmarks.quality.default_settings``: the first was the best of many settings on real recordings, and the
second on recordings of few trials. Each loses on other recordings, so neither is the default.
"""

from itertools import cycle
from typing import Any

from nlb_search.models.architecture.architectures import parse_architecture
from nlb_search.search.sampling.spaces.default_settings import default_values
from nlb_search.search.sampling.spaces.range_types import Space
from nlb_search.search.sampling.spaces.trial_parameters import parameters_of

PORTFOLIO: tuple[dict[str, Any], ...] = (
    {"lr": 0.002, "mask_variant": "dot line"},
    {"lr": 0.002, "hidden": 40},
)
"""How each differs from the default settings of a recurrent chain."""


def portfolio(space: Space, architectures: tuple[str, ...]) -> list[dict[str, Any]]:
    """The parameters of the trials, which use the recurrent chains in turn."""
    recurrent = [number for number, text in enumerate(architectures) if parse_architecture(text).uses("hidden")]
    starts = []
    for number, changes in zip(cycle(recurrent), PORTFOLIO, strict=False):
        defaults = default_values(parse_architecture(architectures[number]))
        starts.append(parameters_of(space, architectures, number, defaults | changes))
    return starts
