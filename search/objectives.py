"""The objectives of a search: what its sampler optimizes, with the names used by ``--objective``."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal, get_args

from nlb_search.search.errors import SearchError, UsageError

ObjectiveName = Literal["co-bps", "fp-bps", "vel-r2", "psth-r2", "tp-corr", "n-parameters"]
OBJECTIVES: tuple[ObjectiveName, ...] = get_args(ObjectiveName)

CO_BPS_ALONE: tuple[ObjectiveName, ...] = ("co-bps",)
"""The objectives of a search by default."""

_MINIMIZED = ("n-parameters",)


def is_minimized(objective: ObjectiveName) -> bool:
    """Whether lower values are better. All scores are maximized."""
    return objective in _MINIMIZED


def attribute_of(objective: ObjectiveName) -> str:
    """The user attribute of a trial that stores the objective's value."""
    return objective.replace("-", "_")


def objectives_named(names: Sequence[str]) -> tuple[ObjectiveName, ...]:
    """The objectives with these names; ``vel R2`` and ``n_parameters`` are read as ``vel-r2`` and ``n-parameters``.

    Raises UsageError for an unknown name, and if the first one is not a score: it decides which trial is exported.
    """
    found = []
    for name in names:
        objective = name.strip().lower().replace(" ", "-").replace("_", "-")
        if objective not in OBJECTIVES:
            raise UsageError(
                f"--objective: there is no objective '{name.strip()}': choose from {', '.join(OBJECTIVES)}"
            )
        found.append(objective)
    if not found or is_minimized(found[0]):
        raise UsageError(
            f"--objective {','.join(found)}: the first objective must be a score, because it decides which trial is "
            f"exported: start with one of {', '.join(name for name in OBJECTIVES if not is_minimized(name))}"
        )
    return tuple(dict.fromkeys(found))


def values_of(objectives: Sequence[ObjectiveName], scores: Mapping[str, Any]) -> tuple[float, ...]:
    """The objectives' values, from the scores of a trial by attribute.

    Raises SearchError if one is missing or not finite: some metrics cannot be computed for every network.
    """
    found = {objective: float(scores.get(attribute_of(objective), math.nan)) for objective in objectives}
    missing = [objective for objective, value in found.items() if not math.isfinite(value)]
    if missing:
        raise SearchError(f"it has no value for {' and '.join(missing)}, which the study optimizes")
    return tuple(found.values())
