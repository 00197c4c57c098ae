"""How many workers in a row vanished with a trial that got no further: it may be what ends them."""

from dataclasses import asdict, dataclass
from typing import Any

from optuna.trial import FrozenTrial

from nlb_search.storage.claims.owner import OWNER_KEY, Owner

LOST_WORKERS_KEY = "takeovers"
"""The trial's attribute that holds its takeovers."""

MAX_LOST_WORKERS = 3
"""Workers that may vanish with a trial that gets no further, before it is blamed: for running out of memory, say."""

ISOLATION_AFTER = 2
"""Workers that may vanish with a trial before it is lived alone, lest the trials beside it be blamed for its doing. One
that vanished was most often preempted.
"""


@dataclass(frozen=True)
class LostWorkers:
    """``count`` workers vanished with the trial at its evaluation ``step``; ``last`` names the latest of them."""

    count: int = 0
    step: int = 0
    last: str = ""

    @classmethod
    def of(cls, attributes: dict[str, Any]) -> "LostWorkers":
        """Those that were counted, from a trial's attributes."""
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
    """The takeovers of a trial, the worker that it names counted among them: as vanished, at the step that it reached.

    A worker counts once, however often this is asked; one that handed the trial back does not count.
    """
    before, step = LostWorkers.of(trial.user_attrs), trial.last_step or 0
    vanished = Owner.from_attribute(trial.user_attrs.get(OWNER_KEY))
    if vanished is None or vanished.worker == before.last:
        return before
    return LostWorkers(before.count + 1 if before.step == step else 1, step, vanished.worker)
