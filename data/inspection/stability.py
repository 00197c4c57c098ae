"""Stability of a recording over trials: drift of the mean rate, and neurons that were lost."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

ENDS = 5
"""Drift is the difference between the first and the last of this many equal parts of the trials."""
_MIN_TRIALS = 20
_MAX_EXPECTED = 1e-6
"""A silence is reported if fewer than this many silences of its length are expected in a recording by chance."""


@dataclass(frozen=True)
class Change:
    """Two mean rates, in spikes per second per neuron, and the standard error of their difference."""

    before_hz: float
    after_hz: float
    error_hz: float

    @property
    def share(self) -> float:
        """The difference as a fraction of the first rate; NaN if that rate is 0."""
        return (self.after_hz - self.before_hz) / self.before_hz if self.before_hz else math.nan

    @property
    def deviations(self) -> float:
        """The difference in standard errors."""
        return abs(self.after_hz - self.before_hz) / self.error_hz if self.error_hz else math.inf


@dataclass(frozen=True)
class Silence:
    """Consecutive trials in which a neuron does not fire, counted from 0 over train and val."""

    neuron: int
    first_trial: int
    n_trials: int


def change(before_B: Floats, after_B: Floats) -> Change | None:
    """Compare the mean rates of two sets of trials. Returns None if a set has fewer than two trials that are seen."""
    before_B, after_B = before_B[~np.isnan(before_B)], after_B[~np.isnan(after_B)]
    if min(len(before_B), len(after_B)) < 2:
        return None
    error = math.sqrt(before_B.var(ddof=1) / len(before_B) + after_B.var(ddof=1) / len(after_B))
    return Change(float(before_B.mean()), float(after_B.mean()), error)


def drift(rates_B: Floats) -> Change | None:
    """Compare the mean rates of the first and the last fifth of trials. Returns None for fewer than 20 trials."""
    part = len(rates_B) // ENDS
    return change(rates_B[:part], rates_B[-part:]) if len(rates_B) >= _MIN_TRIALS else None


def session_changes(rates_B: Floats, sessions: Mapping[str, int]) -> dict[str, Change]:
    """Compare the mean rates of each session but the first with those of the first.

    ``sessions`` has the number of trials of each, in the order of ``rates_B``. Sessions of fewer than two trials are
    left out.
    """
    first, *others = np.split(rates_B, np.cumsum(list(sessions.values()))[:-1])
    changes = zip(list(sessions)[1:], (change(first, other) for other in others), strict=True)
    return {name: found for name, found in changes if found is not None}


def silences(spikes_BN: npt.NDArray[np.int64], seen_BN: npt.NDArray[np.int64]) -> tuple[Silence, ...]:
    """The longest silence of each neuron, if it is too long to be expected by chance.

    If a neuron fires in a fraction p of all trials, independently of each other, it is silent in k given trials with
    probability (1 - p)^k. ``spikes_BN`` has the spikes and ``seen_BN`` the number of seen bins of each trial and
    neuron. Neurons that never fire are left out.
    """
    found = []
    for neuron, (spikes_B, seen_B) in enumerate(zip(spikes_BN.T, seen_BN.T, strict=True)):
        trials = np.flatnonzero(seen_B)
        fires = spikes_B[trials] > 0
        if fires.all() or not fires.any():
            continue
        edges = np.flatnonzero(np.diff(~fires, prepend=False, append=False)).reshape(-1, 2)
        start, stop = edges[np.diff(edges, axis=1).argmax()]
        expected = spikes_BN.size * (1 - fires.mean()) ** (stop - start)
        if expected < _MAX_EXPECTED:
            found.append(Silence(neuron, int(trials[start]), int(stop - start)))
    return tuple(found)
