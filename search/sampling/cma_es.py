"""CMA-ES that stores no optimizer in the database.

Optuna's CMA-ES stores its optimizer there as a pickle, and loading a pickle that someone has replaced runs their code.
This sampler rebuilds the optimizer from the study's trials before each trial, which takes half a millisecond per
generation. When trials run one after the other, it suggests exactly the same parameters as Optuna's sampler.

This is the only file that uses private parts of Optuna's CMA-ES: ``_SearchSpaceTransform``, and the sampler's
``_restore_optimizer``, ``_get_solution_trials``, ``_split_optimizer_str``, ``_init_optimizer`` and
``_attr_key_generation``.
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
    """CMA-ES over the parameters ``names``, which every trial must have, for studies that are maximized.

    Optuna's sampler uses all parameters that the trials so far have in common. As soon as a trial lacks one of them,
    the optimizer no longer matches the search space, and Optuna's sampler falls back to random sampling.
    """

    def __init__(self, names: frozenset[str], seed: int, consider_pruned_trials: bool) -> None:
        super().__init__(seed=seed, warn_independent_sampling=False, consider_pruned_trials=consider_pruned_trials)
        self._names = names
        self._relative_search_space: dict[str, BaseDistribution] = {}

    def infer_relative_search_space(self, study: optuna.Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        common = super().infer_relative_search_space(study, trial)
        return {name: distribution for name, distribution in common.items() if name in self._names}

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        self._relative_search_space = search_space
        return super().sample_relative(study, trial, search_space)

    def _restore_optimizer(self, completed_trials: list[FrozenTrial]) -> cmaes.CMA | None:
        """Rebuild the optimizer from the trials' generations; None while all trials belong to the first generation."""
        last = max(trial.system_attrs.get(self._attr_key_generation, 0) for trial in completed_trials)
        if last == 0:
            return None
        transform = _SearchSpaceTransform(self._relative_search_space, transform_step=True, transform_0_1=True)
        # From another sampler: drawing the optimizer's seed from this one would change its later samples.
        optimizer = CmaEsSampler(seed=0)._init_optimizer(transform, StudyDirection.MAXIMIZE)
        for generation in range(last):
            solutions = self._get_solution_trials(completed_trials, generation)[: optimizer.population_size]
            if len(solutions) < optimizer.population_size:
                break
            optimizer.tell([(transform.transform(trial.params), -_score(trial)) for trial in solutions])
            # Pickling and unpickling makes the covariance matrix symmetric, and so does copying.
            optimizer = copy.copy(optimizer)
        return optimizer

    def _get_solution_trials(self, trials: list[FrozenTrial], generation: int) -> list[FrozenTrial]:
        """A generation's trials, ordered by the time they ended, so that a late trial never replaces an earlier one."""
        return sorted(super()._get_solution_trials(trials, generation), key=_ended)

    def _split_optimizer_str(self, optimizer_str: str) -> dict[str, str]:  # noqa: ARG002
        """Store nothing: the optimizer is rebuilt from the trials."""
        return {}


def _score(trial: FrozenTrial) -> float:
    assert trial.value is not None
    return trial.value


def _ended(trial: FrozenTrial) -> datetime:
    assert trial.datetime_complete is not None
    return trial.datetime_complete
