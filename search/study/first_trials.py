"""The parameters of a study's first trials: each chain's default settings, then the best ones of a similar study."""

from typing import Any

from nlb_search.models.architecture.chain import parse_chain
from nlb_search.search.sampling.ranges import ARCHITECTURE, Space, settings_of_parameters
from nlb_search.search.sampling.space import start_parameters
from nlb_search.search.study.open_study import OpenStudy
from nlb_search.search.study.specification import SearchSpec
from nlb_search.search.study.trial_scores import network_score
from nlb_search.storage.claims.trial_counts import FINISHED

MOST_LIKE = 5
"""Number of trials of a similar study whose settings are tried first."""


def first_trials(spec: SearchSpec, like: OpenStudy | None) -> list[dict[str, Any]]:
    """The parameters of the first trials; a parameter that is left out is sampled.

    Trials of ``like`` with a chain that the new study does not search are skipped, and their settings outside its space
    are left out. With a grid, which tries all combinations anyway, there are none.
    """
    if spec.sampler == "grid":
        return []
    starts = [start_parameters(spec.space, spec.architectures, number) for number in range(len(spec.architectures))]
    if like is not None:
        tried = [trial for trial in like.study.get_trials(deepcopy=False, states=FINISHED) if trial.intermediate_values]
        best = sorted(tried, key=lambda trial: -network_score(trial))
        taken = [
            _parameters(spec.space, spec.architectures, chain, settings_of_parameters(trial.params))
            for trial in best
            if (chain := like.spec.architecture_of(trial.params)) in spec.architectures
        ]
        starts += [start for number, start in enumerate(taken) if start not in [*starts, *taken[:number]]][:MOST_LIKE]
    return [start for start in starts if start]


def _parameters(space: Space, architectures: tuple[str, ...], chain: str, settings: dict[str, Any]) -> dict[str, Any]:
    parameters: dict[str, Any] = {ARCHITECTURE: chain} if len(architectures) > 1 else {}
    for name, range_ in space.items():
        if name in settings and name in parse_chain(chain).hyperparameters:
            parameters |= range_.parameters(name, settings[name]) or {}
    return parameters
