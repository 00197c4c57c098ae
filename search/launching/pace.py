"""How fast trials finish, and how much time is left."""

import math
import time

from nlb_search.search.study.status import StudyStatus

Seconds = tuple[float, float]

_SPREAD = 1.28
"""Standard deviations of a normal distribution that enclose 80 % of it."""

_UNITS = (("days", 86400.0), ("h", 3600.0), ("min", 60.0), ("s", 1.0))


class Pace:
    """Estimates the remaining time from the rate at which trials finish."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._finished_before: int | None = None

    def elapsed(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._began

    def left(self, status: StudyStatus) -> Seconds | None:
        """An 80 % interval of the seconds until the budget is met, or None before the first trial has finished.

        Trials are assumed to finish independently of each other at a constant rate: the standard deviation of the
        logarithm of the time is then about sqrt(1 / trials so far + 1 / trials left).
        """
        if self._finished_before is None:
            self._finished_before = status.finished
        done, left = status.finished - self._finished_before, status.budget - status.finished
        if not done or left <= 0:
            return None
        expected = self.elapsed() / done * left
        factor = math.exp(_SPREAD * math.sqrt(1 / done + 1 / left))
        return expected / factor, expected * factor


def in_words(seconds: float) -> str:
    """A duration in its largest suitable unit: ``40 s``, ``12 min``, ``5.2 h``."""
    unit, size = _unit(seconds)
    return f"{_number(seconds / size)} {unit}"


def range_in_words(seconds: Seconds) -> str:
    """A range of durations in one unit: ``4 to 7 min``."""
    unit, size = _unit(seconds[1])
    low, high = (_number(one / size) for one in seconds)
    return f"about {high} {unit}" if low == high else f"{low} to {high} {unit}"


def _unit(seconds: float) -> tuple[str, float]:
    return next(((unit, size) for unit, size in _UNITS if seconds >= 1.5 * size), _UNITS[-1])


def _number(value: float) -> str:
    return f"{value:.0f}" if value >= 10 else f"{value:.1f}".removesuffix(".0")
