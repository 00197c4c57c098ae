"""How long a network is trained, in which batches, and when it is scored."""

import math
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How long to train and how often to look: ``epochs`` passes over the training trials in batches of at most
    ``batch_size``, scored on val after every ``evaluate_every`` epochs and after the last.
    """

    epochs: int
    evaluate_every: int = 1
    batch_size: int = 32

    def steps_per_epoch(self, n_trials: int) -> int:
        """Steps of the optimizer in a pass over so many trials."""
        return math.ceil(n_trials / self.batch_size)

    def trials_per_batch(self, n_trials: int) -> int:
        """Trials in every batch: as many in each, so that a step is always of one shape."""
        return math.ceil(n_trials / self.steps_per_epoch(n_trials))

    def batch_starts(self, n_trials: int) -> list[int]:
        """Where each batch begins in the order of an epoch; where they do not fit exactly, neighbours overlap."""
        steps = self.steps_per_epoch(n_trials)
        last = n_trials - self.trials_per_batch(n_trials)
        return [round(step * last / max(1, steps - 1)) for step in range(steps)]

    def is_evaluation(self, epoch: int) -> bool:
        """Whether the network is scored after so many epochs."""
        return epoch % self.evaluate_every == 0 or epoch == self.epochs
