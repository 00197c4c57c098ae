"""Builds the pruner of a study from its settings, because Optuna does not store pruners in the database."""

import math

from optuna.pruners import BasePruner, HyperbandPruner, MedianPruner, NopPruner, PatientPruner

from nlb_search.search.sampling.halving import HalvingPruner
from nlb_search.search.sampling.sampling_settings import SamplingSettings

HALVING_REDUCTION, HYPERBAND_REDUCTION = 2, 3
"""About one trial in this many continues at each rung; rungs are this factor apart.

With 3 instead of 2, halving stopped the best trials of one recording, which had a low learning rate; on another, both
found the same (benchmarks.quality.pruners).
"""

LEAST_FIRST_RUNG = 3
"""No trial is pruned before this many epochs: during the warm-up, scores say little about later ones."""


def make_pruner(settings: SamplingSettings) -> BasePruner:
    """Build the study's pruner.

    Resources are epochs, given as numbers because Optuna's 'auto' differs between workers.
    """
    first_rung = min(settings.epochs, max(LEAST_FIRST_RUNG, settings.epochs // 9))
    match settings.pruner:
        case "halving":
            return HalvingPruner(_rungs(first_rung, settings), HALVING_REDUCTION)
        case "hyperband":
            return HyperbandPruner(
                min_resource=first_rung, max_resource=settings.epochs, reduction_factor=HYPERBAND_REDUCTION
            )
        case "median":
            return MedianPruner(n_startup_trials=5, n_warmup_steps=first_rung)
        case "patient":
            # Noise on val explains a tenth of the evaluations without an improvement, but not more.
            n_evaluations = math.ceil(settings.epochs / settings.evaluate_every)
            return PatientPruner(MedianPruner(n_startup_trials=5), patience=max(1, n_evaluations // 10))
        case "none":
            return NopPruner()


def _rungs(first_rung: int, settings: SamplingSettings) -> frozenset[int]:
    """Epochs at which successive halving decides, each the first with an evaluation at or after the rung.

    After the first, none is in the second half of the epochs, in which stopping a trial saves little.
    """
    rungs, rung = {first_rung}, first_rung * HALVING_REDUCTION
    while rung <= settings.epochs / 2:
        rungs.add(rung)
        rung *= HALVING_REDUCTION
    evaluated = {math.ceil(rung / settings.evaluate_every) * settings.evaluate_every for rung in rungs}
    return frozenset(epoch for epoch in evaluated if epoch < settings.epochs)
