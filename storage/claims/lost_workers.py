"""Count of the workers that died in a row during a trial without progress: the trial may be the cause."""

from dataclasses import asdict, dataclass
from typing import Any

from optuna.trial import FrozenTrial

from nlb_search.storage.claims.owner import OWNER_KEY, Owner

LOST_WORKERS_KEY = "takeovers"
"""User attribute of the trial that stores this."""

MAX_LOST_WORKERS = 3
"""A trial is marked as failed when more workers than this died during it without progress, e.g. out of memory."""

ISOLATION_AFTER = 2
"""After this many dead workers, a trial runs alone in its worker, so that other trials are not blamed. A single dead
worker was usually preempted.
"""


@dataclass(frozen=True)
class LostWorkers:
    """``count`` workers died during the trial at its evaluation ``step``; ``last`` is the id of the latest of them."""

    count: int = 0
    step: int = 0
    last: str = ""

    @classmethod
    def from_attributes(cls, attributes: dict[str, Any]) -> "LostWorkers":
        """Read from a trial's user attributes."""
        return cls(**attributes.get(LOST_WORKERS_KEY, {}))

    def as_attribute(self) -> dict[str, Any]:
        return asdict(self)

    @property
    def exceed_limit(self) -> bool:
        return self.count > MAX_LOST_WORKERS

    @property
    def need_isolation(self) -> bool:
        return self.count >= ISOLATION_AFTER


def add_lost_worker(trial: FrozenTrial) -> LostWorkers:
    """The lost workers of a trial, including the one that holds it now: dead, at the step that it reached.

    A worker counts once, however often this is called; one that released the trial does not count.
    """
    before, step = LostWorkers.from_attributes(trial.user_attrs), trial.last_step or 0
    dead = Owner.from_attribute(trial.user_attrs.get(OWNER_KEY))
    if dead is None or dead.worker == before.last:
        return before
    return LostWorkers(before.count + 1 if before.step == step else 1, step, dead.worker)
