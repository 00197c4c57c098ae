"""The sampler and the pruner of a study, made anew from its specification: the database keeps neither."""

import math

from optuna.pruners import BasePruner, HyperbandPruner, MedianPruner, NopPruner, PatientPruner
from optuna.samplers import BaseSampler, RandomSampler, TPESampler

from search.spec import SearchSpec

REDUCTION = 3
"""Hyperband keeps about one trial in so many at each rung."""


def make_sampler(spec: SearchSpec, number: int) -> BaseSampler:
    """The sampler for one trial. Its seed comes from the trial's number, so no two workers ever draw alike, and a
    study that is resumed goes on as if it had never stopped.
    """
    seed = spec.trial_seed(number)
    match spec.sampler:
        case "tpe":
            return TPESampler(seed=seed)
        case "random":
            return RandomSampler(seed=seed)


def make_pruner(spec: SearchSpec) -> BasePruner:
    """The pruner of the study. Resources are epochs, given as numbers: Optuna's 'auto' differs between workers."""
    first_rung = max(1, spec.epochs // REDUCTION**2)
    match spec.pruner:
        case "hyperband":
            return HyperbandPruner(min_resource=first_rung, max_resource=spec.epochs, reduction_factor=REDUCTION)
        case "median":
            return MedianPruner(n_startup_trials=5, n_warmup_steps=first_rung)
        case "patient":
            # A tenth of the looks without a gain is what noise on val explains; more is a curve that has ended.
            looks = math.ceil(spec.epochs / spec.plan.evaluate_every)
            return PatientPruner(MedianPruner(n_startup_trials=5), patience=max(1, looks // 10))
        case "none":
            return NopPruner()
