"""CMA-ES without a state in the database: Optuna's keeps its optimizer there as a pickle, and unpickling runs whatever
program somebody put in its place.

Here the optimizer is told the study's generations again before each trial. That costs half a millisecond a generation,
and trials run one after the other are those of Optuna's own sampler, to the last bit. What is not public in Optuna's
CMA-ES is used in this file alone: ``_restore_optimizer``, ``_get_solution_trials``, ``_split_optimizer_str``,
``_init_optimizer`` and ``_attr_key_generation`` of the sampler, and ``_SearchSpaceTransform``.
"""

import copy
from datetime import datetime
from typing import Any

import cmaes
import optuna
from optuna._transform import _SearchSpaceTransform
from optuna.distributions import BaseDistribution
from optuna.samplers import CmaEsSampler
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial


class StatelessCmaEsSampler(CmaEsSampler):
    """CMA-ES on the settings ``names``, which every trial has, and on no other, for studies that are maximized.

    Optuna's takes those that all trials had so far. Once a trial lacks one of them, the optimizer no longer fits, and
    from then on it draws at random.
    """

    def __init__(self, names: frozenset[str], seed: int, consider_pruned_trials: bool) -> None:
        super().__init__(seed=seed, warn_independent_sampling=False, consider_pruned_trials=consider_pruned_trials)
        self._names = names
        self._relative_search_space: dict[str, BaseDistribution] = {}

    def infer_relative_search_space(self, study: optuna.Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        found = super().infer_relative_search_space(study, trial)
        return {name: distribution for name, distribution in found.items() if name in self._names}

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        self._relative_search_space = search_space
        return super().sample_relative(study, trial, search_space)

    def _restore_optimizer(self, completed_trials: list[FrozenTrial]) -> cmaes.CMA | None:
        """The optimizer as the trials' generations left it, or None while they are all of the first."""
        last = max(trial.system_attrs.get(self._attr_key_generation, 0) for trial in completed_trials)
        if last == 0:
            return None
        transform = _SearchSpaceTransform(self._relative_search_space, transform_step=True, transform_0_1=True)
        # Begun by another sampler: a draw of a seed from this one would shift its later draws.
        optimizer = CmaEsSampler(seed=0)._init_optimizer(transform, StudyDirection.MAXIMIZE)
        for generation in range(last):
            solutions = self._get_solution_trials(completed_trials, generation)[: optimizer.population_size]
            if len(solutions) < optimizer.population_size:
                break
            optimizer.tell([(transform.transform(trial.params), -_score(trial)) for trial in solutions])
            # Storing and loading rounds its matrix to a symmetric one, and so does this.
            optimizer = copy.copy(optimizer)
        return optimizer

    def _get_solution_trials(self, trials: list[FrozenTrial], generation: int) -> list[FrozenTrial]:
        """Those of a generation in the order in which they ended: who came late never changes what was told."""
        return sorted(super()._get_solution_trials(trials, generation), key=_ended)

    def _split_optimizer_str(self, optimizer_str: str) -> dict[str, str]:  # noqa: ARG002
        """Nothing of the optimizer is kept: its dump is dropped here."""
        return {}


def _score(trial: FrozenTrial) -> float:
    assert trial.value is not None
    return trial.value


def _ended(trial: FrozenTrial) -> datetime:
    assert trial.datetime_complete is not None
    return trial.datetime_complete
