"""How long a trial is trained unless --epochs is given, and how often it is evaluated."""

import math

from nlb_search.models.training.training_plan import BATCH_SIZE

MAX_STEPS = 1500
"""Default maximum number of optimizer steps per trial. Most trials stop before, when val has stopped improving."""

FEWEST_EPOCHS, MOST_EPOCHS = 40, 300
EVALUATIONS = 60
"""Maximum number of evaluations per trial: enough to prune and stop early, few enough to cost little."""


def default_epochs(n_trials: int) -> int:
    """Maximum number of epochs, about ``MAX_STEPS`` steps, for a recording with ``n_trials`` training trials."""
    steps_per_epoch = math.ceil(n_trials / BATCH_SIZE)
    return min(max(round(MAX_STEPS / steps_per_epoch), FEWEST_EPOCHS), MOST_EPOCHS)
