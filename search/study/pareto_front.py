"""The Pareto front of a study: the complete trials that no other trial dominates.

A trial dominates another one if it is at least as good in every objective and better in one. With one objective, the
front is the best trial, and any with the same value.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from optuna.trial import FrozenTrial, TrialState

from nlb_search.search.objectives import ObjectiveName, is_minimized
from nlb_search.search.study.specification import SearchSpec


@dataclass(frozen=True)
class FrontTrial:
    """A trial on the front: its value of each objective, the chain that was trained, and its number of parameters."""

    number: int
    values: dict[str, float]
    architecture: str
    n_parameters: int | None


def pareto_front(trials: Sequence[FrozenTrial], objectives: Sequence[ObjectiveName]) -> list[FrozenTrial]:
    """The complete trials that no other trial dominates, sorted by the first objective, best first."""
    complete = [trial for trial in trials if trial.state == TrialState.COMPLETE]
    front: list[FrozenTrial] = []
    merits: list[tuple[float, ...]] = []
    # In this order, a trial can be dominated only by an earlier one, and then by one that is on the front.
    for trial in sorted(complete, key=lambda trial: merit(trial, objectives), reverse=True):
        mine = merit(trial, objectives)
        if not any(_dominates(other, mine) for other in merits):
            front.append(trial)
            merits.append(mine)
    return front


def merit(
    trial: FrozenTrial, objectives: Sequence[ObjectiveName], first: ObjectiveName | None = None
) -> tuple[float, ...]:
    """The values of a complete trial, where higher is better. The value of the objective ``first``, if given, comes
    first.

    The trial with the largest tuple among some trials is in their front.
    """
    values = dict(zip(objectives, trial.values, strict=True))
    order = sorted(objectives, key=lambda objective: objective != first)
    return tuple(-values[objective] if is_minimized(objective) else values[objective] for objective in order)


def front_trial(trial: FrozenTrial, spec: SearchSpec) -> FrontTrial:
    """A trial on the front, for display."""
    attributes: dict[str, Any] = trial.user_attrs
    return FrontTrial(
        number=trial.number,
        values=dict(zip(spec.objectives, trial.values, strict=True)),
        architecture=attributes.get("architecture", spec.architecture_of(trial.params)),
        n_parameters=attributes.get("n_parameters"),
    )


def _dominates(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return one != other and all(mine >= its for mine, its in zip(one, other, strict=True))
