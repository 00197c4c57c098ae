"""How long a trial is trained unless --epochs is given, and how often it is evaluated."""

import math

BATCH_SIZE = 32
DEFAULT_STEPS = 125
"""Default number of optimizer steps per trial, unless --epochs is given. Twice as many did not improve the score on a
recording similar to mc_rtt.
"""
FEWEST_EPOCHS, MAX_EPOCHS = 12, 150
EVALUATIONS = 40
"""Maximum number of evaluations per trial: enough to prune early, few enough to cost little."""


def default_epochs(n_trials: int) -> int:
    """Number of epochs with about ``DEFAULT_STEPS`` steps, for a recording with ``n_trials`` training trials."""
    steps_per_epoch = math.ceil(n_trials / BATCH_SIZE)
    return min(max(round(DEFAULT_STEPS / steps_per_epoch), FEWEST_EPOCHS), MAX_EPOCHS)
