"""Asynchronous successive halving on the best score so far."""

import math

import optuna
from optuna.pruners import BasePruner
from optuna.trial import FrozenTrial, TrialState


class HalvingPruner(BasePruner):
    """Asynchronous successive halving (Li et al. 2020, https://arxiv.org/abs/1810.05934).

    At each of ``rungs``, which are epochs with an evaluation, a trial continues if its best score so far is in the top
    1/``reduction`` of those of all trials at this rung. Complete trials that stopped before the rung count with their
    final score. Optuna's pruner compares the scores at the rung instead, so that a trial that was best earlier loses
    to a worse one that is still improving, although its best network is kept.
    """

    def __init__(self, rungs: frozenset[int], reduction: int) -> None:
        self._rungs, self._reduction = rungs, reduction

    def prune(self, study: optuna.Study, trial: FrozenTrial) -> bool:
        rung = trial.last_step
        if rung not in self._rungs:
            return False
        scores = [
            _best_until(rung, other)
            for other in study.get_trials(deepcopy=False)
            if other.number != trial.number and _counts_at(rung, other)
        ]
        mine = _best_until(rung, trial)
        n_better = sum(score > mine for score in scores)
        return n_better >= math.ceil((len(scores) + 1) / self._reduction)


def _counts_at(rung: int, trial: FrozenTrial) -> bool:
    step = trial.last_step
    return step is not None and (step >= rung or trial.state == TrialState.COMPLETE)


def _best_until(step: int, trial: FrozenTrial) -> float:
    return max(score for at, score in trial.intermediate_values.items() if at <= step)
