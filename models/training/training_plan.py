"""How long a network is trained, in which batches, and when it is evaluated."""

import math
from dataclasses import dataclass

BATCH_SIZE = 32
"""Default maximum number of trials per training step."""

PATIENCE = 0.5
"""A training whose best evaluation was after n epochs stops after more than n times this without a better one.

Evaluations use averaged weights. The average covers a fixed fraction of all steps so far, so it changes more slowly
late in a training, and so do the scores.
"""
LEAST_PATIENCE, LEAST_PATIENCE_EPOCHS = 0.1, 5
"""Minimum patience: a fraction of the plan's epochs, and a number of epochs, because val is noisy."""


@dataclass(frozen=True, kw_only=True)
class TrainingPlan:
    """Training plan: at most ``epochs`` passes over the training trials, in batches of at most ``batch_size`` trials.

    There is an evaluation on val after every ``evaluate_every`` epochs and after the last.
    """

    epochs: int
    evaluate_every: int = 1
    batch_size: int = BATCH_SIZE

    def steps_per_epoch(self, n_trials: int) -> int:
        """Number of optimizer steps in one pass over ``n_trials`` trials."""
        return math.ceil(n_trials / self.batch_size)

    def trials_per_batch(self, n_trials: int) -> int:
        """Number of trials per batch, the same for all batches, so that every step has the same shapes."""
        return math.ceil(n_trials / self.steps_per_epoch(n_trials))

    def batch_starts(self, n_trials: int) -> list[int]:
        """Start of each batch in the epoch's order of trials. Batches overlap if they do not divide it exactly."""
        steps = self.steps_per_epoch(n_trials)
        last = n_trials - self.trials_per_batch(n_trials)
        return [round(step * last / max(1, steps - 1)) for step in range(steps)]

    def is_evaluation(self, epoch: int) -> bool:
        """Whether the network is evaluated after ``epoch`` epochs."""
        return epoch % self.evaluate_every == 0 or epoch == self.epochs

    def is_over(self, epoch: int, best_epoch: int) -> bool:
        """Whether a training ends after ``epoch`` epochs if its best evaluation so far was after ``best_epoch``."""
        patience = max(PATIENCE * best_epoch, LEAST_PATIENCE * self.epochs, LEAST_PATIENCE_EPOCHS)
        return epoch >= self.epochs or epoch - best_epoch > patience
