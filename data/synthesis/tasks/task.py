"""Base class of the layouts' tasks: a schedule of trials, and the mean latents of each trial.

In this package, times (all columns with names that end in ``_time``) are whole milliseconds from the start of the
session; ``nwb`` converts them to seconds. Windows start at multiples of 20 ms, so that bins of 5 and of 20 ms cover
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
"""Windows start at multiples of this, which both of the benchmark's bin widths divide."""

MARGIN_MS = 400
"""Length of the recording before the first and after the last trial: behaviour is read up to 140 ms after a window."""

TAPER_MS = 20
"""Templates rise and fall over this time, before the window and after the forward bins."""

UNUSED_SHARE = 0.05
"""Number of trials in no split, as a fraction of the train trials, in the layouts that have such trials."""


@dataclass(frozen=True)
class Recipe:
    """Parameters that determine how hard a layout is to predict.

    ``template_share`` is the fraction of the latents' variance that is due to the templates; the rest is due to the
    Gaussian process. ``gain`` and ``median_hz`` are arguments of ``neurons.draw_population``.
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
    """The trials of one session, in order, and the length of the session.

    ``trials`` has ``start_time``, ``stop_time``, ``split`` and the columns of the layout.
    """

    trials: pd.DataFrame
    length_ms: int

    @property
    def n_bins(self) -> int:
        return self.length_ms // BIN_MS


class Task(ABC):
    """The animal's task in one layout. One random task is drawn per recording and used for both of its sessions."""

    recipe: Recipe
    max_shift_ms = 0
    """Longest delay of a window after the time in the align field."""

    min_trials = 4
    """Minimum number of trials for scoring a split."""

    def __init__(self, dataset: Dataset, rng: np.random.Generator) -> None:  # noqa: ARG002
        self.dataset = dataset

    @abstractmethod
    def schedule(self, splits: Sequence[str], rng: np.random.Generator) -> Schedule:
        """Draw a session with one trial for each of ``splits``, in this order."""

    @abstractmethod
    def mean(self, trials: pd.DataFrame, time_ms: FloatArray) -> FloatArray:
        """Mean latents, trials x times x latents. ``time_ms`` is trials x times, relative to the align field."""

    @abstractmethod
    def candidates(self, split: str, rng: np.random.Generator) -> pd.DataFrame:
        """The observer's prior for trials of ``split``: equally probable trials, in the form that ``mean`` takes."""

    @abstractmethod
    def behavior(self, schedule: Schedule, latents: FloatArray, rng: np.random.Generator) -> list[Behavior]:
        """Behaviour at 1 kHz. ``latents`` is bins x latents."""

    def n_unused(self, n_train: int) -> int:  # noqa: ARG002
        """Number of trials in the train file that are in no split."""
        return 0

    def shifts_ms(self, trials: pd.DataFrame) -> IntArray:
        """Delay of each trial's window in nlb_tools, relative to the align field. ``trials`` are those of one split."""
        return np.zeros(len(trials), dtype=np.int64)

    def scored(self, trials: pd.DataFrame, time_ms: FloatArray) -> BoolArray:  # noqa: ARG002
        """Mask of the bins that are scored for co-bps, trials x times. ``time_ms`` is as in ``mean``."""
        return np.ones(time_ms.shape, dtype=bool)

    def window_times(self, trials: pd.DataFrame) -> FloatArray:
        """Start times of the window and forward bins, trials x bins, in ms relative to the align field."""
        start, stop = self.dataset.window_ms
        times = np.arange(start, stop + FORWARD_MS, BIN_MS)
        return np.asarray(times + self.shifts_ms(trials)[:, None], dtype=np.float64)

    def window_bins(self, trials: pd.DataFrame) -> IntArray:
        """Indices of the same bins in the session, trials x bins."""
        times = self.window_times(trials) + trials[self.dataset.align_field].to_numpy()[:, None]
        return np.asarray(times // BIN_MS, dtype=np.int64)

    def mean_latents(self, schedule: Schedule) -> FloatArray:
        """Mean latents of a whole session, bins x latents: the template of each trial at its time, else zero."""
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
    """Align times of consecutive trials, and the length of the session, in ms.

    A trial lasts from ``before_ms`` before its align time to ``after_ms`` after it, rounded up to multiples of
    ``GRID_MS``.
    """
    to_window = _up_to_grid(before_ms + window_start_ms)
    lengths = _up_to_grid(to_window - window_start_ms + after_ms)
    starts = MARGIN_MS + np.concatenate([[0], np.cumsum(lengths)[:-1]])
    return starts + to_window - window_start_ms, int(MARGIN_MS + lengths.sum() + MARGIN_MS)


def _up_to_grid(ms: IntArray) -> IntArray:
    return -(-ms // GRID_MS) * GRID_MS
