"""The parameters of a study's first trials: each chain's default settings, then the best ones of a similar study, or
settings that are good on many recordings.
"""

from collections.abc import Sequence
from typing import Any

from nlb_search.models.architecture.architectures import parse_architecture
from nlb_search.search.sampling.portfolio import portfolio
from nlb_search.search.sampling.spaces.range_types import ARCHITECTURE, Space, settings_of_parameters
from nlb_search.search.sampling.spaces.trial_parameters import start_parameters
from nlb_search.search.study.open_study import OpenStudy
from nlb_search.search.study.specification import SearchSpec
from nlb_search.search.trials.trial_scores import network_score
from nlb_search.storage.claims.trial_counts import FINISHED

MOST_LIKE = 5
"""Number of trials of a similar study whose settings are tried first."""


def first_parameters(spec: SearchSpec, like: OpenStudy | None) -> list[dict[str, Any]]:
    """The parameters of the first trials, at most as many as the budget has; a parameter that is left out is sampled.

    A grid has none, because it tries all combinations anyway.
    """
    if spec.sampler == "grid":
        return []
    starts = [start_parameters(spec.space, spec.architectures, number) for number in range(len(spec.architectures))]
    if like is None:
        starts += portfolio(spec.space, spec.architectures)
    else:
        starts += best_parameters(spec, like, MOST_LIKE, known=starts)
    different = [start for index, start in enumerate(starts) if start and start not in starts[:index]]
    return different[: spec.trials]


def best_parameters(
    spec: SearchSpec, other: OpenStudy, count: int, known: Sequence[dict[str, Any]] = ()
) -> list[dict[str, Any]]:
    """The parameters of the best ``count`` trials of another study, for trials of a study with ``spec``, best first.

    Trials with a chain that the study does not search are skipped, as are those with the same parameters as a better
    one or as one of ``known``. Settings outside the study's space are left out.
    """
    tried = [trial for trial in other.study.get_trials(deepcopy=False, states=FINISHED) if trial.intermediate_values]
    found: list[dict[str, Any]] = []
    for trial in sorted(tried, key=lambda trial: -network_score(trial)):
        chain = other.spec.architecture_of(trial.params)
        if chain in spec.architectures and len(found) < count:
            start = _parameters(spec.space, spec.architectures, chain, settings_of_parameters(trial.params))
            found += [start] if start and start not in (*known, *found) else []
    return found


def _parameters(space: Space, architectures: tuple[str, ...], chain: str, settings: dict[str, Any]) -> dict[str, Any]:
    parameters: dict[str, Any] = {ARCHITECTURE: chain} if len(architectures) > 1 else {}
    for name, range_ in space.items():
        if name in settings and parse_architecture(chain).uses(name):
            parameters |= range_.parameters(name, settings[name]) or {}
    return parameters
