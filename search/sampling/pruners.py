"""The pruner of a study, built from its settings: Optuna's database stores none."""

import math

from optuna.pruners import BasePruner, HyperbandPruner, MedianPruner, NopPruner, PatientPruner

from nlb_search.search.sampling.settings import SamplingSettings

REDUCTION = 3
"""Hyperband keeps about one trial in so many at each rung."""


def make_pruner(settings: SamplingSettings) -> BasePruner:
    """The pruner of the study. Resources are epochs, given as numbers: Optuna's 'auto' differs between workers."""
    first_rung = max(1, settings.epochs // REDUCTION**2)
    match settings.pruner:
        case "hyperband":
            return HyperbandPruner(min_resource=first_rung, max_resource=settings.epochs, reduction_factor=REDUCTION)
        case "median":
            return MedianPruner(n_startup_trials=5, n_warmup_steps=first_rung)
        case "patient":
            # A tenth of the evaluations without a gain is what noise on val explains; more is a curve that has ended.
            n_evaluations = math.ceil(settings.epochs / settings.evaluate_every)
            return PatientPruner(MedianPruner(n_startup_trials=5), patience=max(1, n_evaluations // 10))
        case "none":
            return NopPruner()
