"""What every layout of a recording has in common: a schedule of trials, and latents that depend on it.

Inside this package, times are whole ms on the session's clock, and a column whose name ends in ``_time`` is one;
the writer of the file turns them into seconds. Windows begin on a grid of 20 ms, so that bins of 5 and of 20 ms cover
them exactly.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from nlb_search.data.datasets import FORWARD_MS, Dataset
from nlb_search.data.synthesis.behavior import Behavior
from nlb_search.data.synthesis.latents import BIN_MS, BoolArray, FloatArray, GaussianProcess, IntArray

GRID_MS = 20
"""Windows begin at a multiple of this: both of the benchmark's bin widths divide it."""

MARGIN_MS = 400
"""Recording before the first trial and after the last one: behaviour is read up to 140 ms past a window."""

TAPER_MS = 20
"""Templates rise and fall over this time, outside of every window and its forward bins."""

UNUSED_SHARE = 0.05
"""Trials of no split, as a share of the train trials, in the layouts that have them."""


@dataclass(frozen=True)
class Recipe:
    """How hard a layout is to predict.

    ``template_share`` is the part of the latents' variance that the templates carry, the rest is the Gaussian
    process's; ``gain`` and ``median_hz`` are those of ``neurons.draw_population``.
    """

    n_latents: int
    timescale_ms: float
    template_share: float
    gain: float
    median_hz: float

    @property
    def process(self) -> GaussianProcess:
        return GaussianProcess(self.n_latents, self.timescale_ms, float(np.sqrt(1 - self.template_share)))


@dataclass(frozen=True)
class Schedule:
    """The trials of one session, in order, and how long it lasts.

    ``trials`` has ``start_time``, ``stop_time``, ``split`` and the columns of the layout.
    """

    trials: pd.DataFrame
    length_ms: int

    @property
    def n_bins(self) -> int:
        return self.length_ms // BIN_MS


class Task(ABC):
    """What the animal does in one layout; a task is drawn once and holds for both sessions of a recording."""

    recipe: Recipe
    max_shift_ms = 0
    """How much later than the align field a window may be read."""

    min_trials = 4
    """The fewest trials that a split can be scored on."""

    def __init__(self, dataset: Dataset, rng: np.random.Generator) -> None:  # noqa: ARG002
        self.dataset = dataset

    @abstractmethod
    def schedule(self, splits: Sequence[str], rng: np.random.Generator) -> Schedule:
        """A session whose trials have these splits, in this order."""

    @abstractmethod
    def mean(self, trials: pd.DataFrame, time_ms: FloatArray) -> FloatArray:
        """Mean latents of trials, trials x times x latents; ``time_ms`` is trials x times from the align field."""

    @abstractmethod
    def candidates(self, split: str, rng: np.random.Generator) -> pd.DataFrame:
        """Equally probable trials that an observer of ``split`` reckons with, as ``mean`` takes them."""

    @abstractmethod
    def behavior(self, schedule: Schedule, latents: FloatArray, rng: np.random.Generator) -> list[Behavior]:
        """What was recorded beside the spikes, at 1 kHz; ``latents`` are bins x latents."""

    def n_unused(self, n_train: int) -> int:  # noqa: ARG002
        """How many trials of the train file belong to no split."""
        return 0

    def shifts_ms(self, trials: pd.DataFrame) -> IntArray:
        """How much later than the align field nlb_tools reads the window of each of a split's trials."""
        return np.zeros(len(trials), dtype=np.int64)

    def scored(self, trials: pd.DataFrame, time_ms: FloatArray) -> BoolArray:  # noqa: ARG002
        """Which bins of the window count for co-bps, trials x times; ``time_ms`` is as for ``mean``."""
        return np.ones(time_ms.shape, dtype=bool)

    def window_times(self, trials: pd.DataFrame) -> FloatArray:
        """Starts of the bins of window + forward, trials x bins, in ms from the align field."""
        start, stop = self.dataset.window_ms
        times = np.arange(start, stop + FORWARD_MS, BIN_MS)
        return np.asarray(times + self.shifts_ms(trials)[:, None], dtype=np.float64)

    def window_bins(self, trials: pd.DataFrame) -> IntArray:
        """Indices of the same bins on the session's clock, trials x bins."""
        times = self.window_times(trials) + trials[self.dataset.align_field].to_numpy()[:, None]
        return np.asarray(times // BIN_MS, dtype=np.int64)

    def mean_latents(self, schedule: Schedule) -> FloatArray:
        """Mean latents of a whole session, bins x latents: every trial's template where the trial is."""
        trials = schedule.trials[schedule.trials[self.dataset.align_field].notna()]
        start, stop = self.dataset.window_ms
        stop += FORWARD_MS + self.max_shift_ms
        times = np.arange(start - TAPER_MS, stop + TAPER_MS, BIN_MS)
        outside = np.maximum(start - times, times + BIN_MS - stop).clip(min=0) / (TAPER_MS + BIN_MS)
        taper = np.cos(outside * np.pi / 2) ** 2
        means = self.mean(trials, np.tile(times.astype(np.float64), (len(trials), 1))) * taper[:, None]
        session = np.zeros((schedule.n_bins, self.recipe.n_latents))
        for mean, align in zip(means, trials[self.dataset.align_field], strict=True):
            first = int(align + times[0]) // BIN_MS
            session[first : first + len(times)] += mean
        return session


def back_to_back(before_ms: IntArray, after_ms: IntArray, window_start_ms: int) -> tuple[IntArray, int]:
    """Align times of trials that follow one another, and the session's length, in ms.

    A trial lasts from ``before_ms`` before its align time to ``after_ms`` after it, rounded up to the grid.
    """
    to_window = _up_to_grid(before_ms + window_start_ms)
    lengths = _up_to_grid(to_window - window_start_ms + after_ms)
    starts = MARGIN_MS + np.concatenate([[0], np.cumsum(lengths)[:-1]])
    return starts + to_window - window_start_ms, int(MARGIN_MS + lengths.sum() + MARGIN_MS)


def _up_to_grid(ms: IntArray) -> IntArray:
    return -(-ms // GRID_MS) * GRID_MS
