"""The timing layout (dmfc_rsg): Ready, Set, Go.

The animal is shown an interval from Ready to Set (``ts``) and reproduces it from Set to Go (``tp``). Between Set and
Go, the latents follow a trajectory, at a speed inversely proportional to ``tp`` (Sohn et al. 2019,
https://doi.org/10.1016/j.neuron.2019.06.012). The trajectory is shifted by the context: the effector, the direction and
the prior of the interval.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from nlb_search.data.datasets import FORWARD_MS, Dataset
from nlb_search.data.synthesis.behavior import Behavior
from nlb_search.data.synthesis.latents import BIN_MS, BoolArray, FloatArray, IntArray
from nlb_search.data.synthesis.tasks.reach import balanced, bell
from nlb_search.data.synthesis.tasks.task import TAPER_MS, UNUSED_SHARE, Recipe, Schedule, Task, back_to_back

INTERVALS_MS = np.array([[800, 900, 1000, 1100, 1200], [480, 560, 640, 720, 800]])
"""Sample intervals of the long and of the short prior."""

CONTEXTS = 8
"""Number of contexts: effector x direction x prior."""

TOWARDS_PRIOR = 0.2
"""Fraction by which produced intervals are biased towards the mean of the prior."""

WEBER_FRACTION = 0.1
PRODUCED_MS = (300, 1480)
"""Range of produced intervals, which must fit in the window of 1500 ms."""

OUTLIER_EVERY = 33
"""One in this many trials of a split is an outlier: its ``tp`` is multiplied by one of ``OUTLIER_FACTORS``."""
OUTLIER_FACTORS = (0.6, 1.5)
CORRECT_FRACTION = 0.2

FIXATION_MS = 300
MAX_JITTER_MS = 300
N_CANDIDATES = 4000


class Timing(Task):
    """Ready, Set, Go.

    Templates explain most of the variance, and the Gaussian process is slow, because otherwise ``tp`` could not be
    inferred from the speed of the trajectory. The gain is high, because there are few neurons. The ceiling is about 0.3
    bits per spike, and tp corr of the true rates is about -0.55.
    """

    recipe = Recipe(n_latents=6, timescale_ms=120.0, template_share=0.85, gain=0.8, median_hz=8.0)
    max_shift_ms = MAX_JITTER_MS
    min_trials = 3 * CONTEXTS
    """Leaves at least two trials per context that are not outliers: tp corr is a correlation within each context."""

    def __init__(self, dataset: Dataset, rng: np.random.Generator) -> None:
        super().__init__(dataset, rng)
        n_latents = self.recipe.n_latents
        self._context = rng.standard_normal((3, n_latents)) / 3
        self._events = rng.standard_normal((3, n_latents))
        self._turn = np.linalg.qr(rng.standard_normal((n_latents, n_latents)))[0]
        self._scale = 1.0
        sample = self.candidates("test", rng)
        variance = np.mean(self.mean(sample, self.window_times(sample)) ** 2)
        self._scale = float(np.sqrt(self.recipe.template_share / variance))

    def n_unused(self, n_train: int) -> int:
        return max(1, round(UNUSED_SHARE * n_train))

    def mean(self, trials: pd.DataFrame, time_ms: FloatArray) -> FloatArray:
        produced = trials["tp"].to_numpy()[:, None]
        sample = trials["ts"].to_numpy()[:, None]
        since_set = time_ms + produced
        events = np.stack([bell(since_set + sample, 90, 50), bell(since_set, 90, 50), bell(time_ms, 60, 50)], axis=2)
        signs = 2 * np.stack([trials["is_eye"], trials["theta"] > 0, trials["is_short"]], axis=1) - 1
        context = signs @ self._context
        return self._scale * (
            self._trajectory(since_set / produced, time_ms) + events @ self._events + context[:, None]
        )

    def _trajectory(self, phase: FloatArray, time_ms: FloatArray) -> FloatArray:
        """From Set (phase 0) to Go (phase 1), one turn in one plane and half a turn in another; then back to zero."""
        along = np.clip(phase, 0, 1) * np.pi
        planes = (1 - np.cos(2 * along), np.sin(2 * along), 1 - np.cos(along), np.sin(along))
        rest = np.zeros((*phase.shape, self.recipe.n_latents - len(planes)))
        after_go = np.exp(-((np.maximum(time_ms, 0) / 100) ** 2))
        path = np.concatenate([np.stack(planes, axis=2), rest], axis=2) * after_go[:, :, None]
        return np.asarray(path @ self._turn)

    def candidates(self, split: str, rng: np.random.Generator) -> pd.DataFrame:
        return _conditions([split] * N_CANDIDATES, rng)

    def shifts_ms(self, trials: pd.DataFrame) -> IntArray:
        """The random delays that ``nlb_tools.make_tensors`` draws with its default seed for bins of 5 ms.

        Windows of train and val end up to 300 ms after Go, so that models cannot infer Go from the end of the window.
        """
        uniform = np.random.RandomState(0).random_sample(len(trials))
        highest = np.clip(self.dataset.window_length_ms - trials["tp"].to_numpy(), 0, MAX_JITTER_MS) // BIN_MS
        jittered = (trials["split"] != "test").to_numpy()
        return np.asarray(np.round(uniform * highest) * BIN_MS * jittered, dtype=np.int64)

    def scored(self, trials: pd.DataFrame, time_ms: FloatArray) -> BoolArray:
        """Mask of the bins from Set to Go."""
        return np.asarray((time_ms >= -trials["tp"].to_numpy()[:, None]) & (time_ms < 0))

    def schedule(self, splits: Sequence[str], rng: np.random.Generator) -> Schedule:
        conditions = _conditions(splits, rng)
        sample, produced = conditions["ts"].to_numpy(), conditions["tp"].to_numpy()
        window_start, window_stop = self.dataset.window_ms
        before = np.maximum(FIXATION_MS + sample + produced, TAPER_MS - window_start)
        after = np.full(len(splits), window_stop + MAX_JITTER_MS + FORWARD_MS + TAPER_MS)
        go, length = back_to_back(before, after, window_start)
        trials = pd.DataFrame(
            {
                "start_time": go - before,
                "stop_time": go + after,
                "fix_on_time": go - before,
                "ready_time": go - produced - sample,
                "set_time": go - produced,
                "go_time": go,
                "reward_time": go + MAX_JITTER_MS,
            }
        ).astype(np.float64)
        aborted = np.array(splits) == "none"
        trials.loc[aborted, ["set_time", "go_time", "reward_time"]] = np.nan
        trials = trials.join(conditions)
        trials.loc[aborted, "tp"] = np.nan
        trials.loc[aborted, ["is_outlier", "is_correct"]] = [1, 0]
        return Schedule(trials, length)

    def behavior(self, schedule: Schedule, latents: FloatArray, rng: np.random.Generator) -> list[Behavior]:  # noqa: ARG002
        """No time series: behaviour is in the trial table."""
        return []


def _conditions(splits: Sequence[str], rng: np.random.Generator) -> pd.DataFrame:
    """Draw the context, sample interval and produced interval of each trial. Contexts are balanced in each split."""
    n_trials = len(splits)
    context = balanced(splits, CONTEXTS, rng)
    is_short = context % 2
    sample = INTERVALS_MS[is_short, rng.integers(INTERVALS_MS.shape[1], size=n_trials)]
    aim = sample + TOWARDS_PRIOR * (INTERVALS_MS.mean(axis=1)[is_short] - sample)
    produced = aim * (1 + WEBER_FRACTION * rng.standard_normal(n_trials))
    is_outlier = balanced(splits, OUTLIER_EVERY, rng) == 0
    produced *= np.where(is_outlier, rng.choice(OUTLIER_FACTORS, size=n_trials), 1.0)
    produced = np.round(np.clip(produced, *PRODUCED_MS))
    return pd.DataFrame(
        {
            "split": list(splits),
            "is_eye": context // 4,
            "theta": (context // 2 % 2) * 180.0,
            "is_short": is_short,
            "ts": sample.astype(np.float64),
            "tp": produced,
            "iti": rng.uniform(500, 1500, size=n_trials).round(),
            "is_outlier": is_outlier.astype(np.int64),
            "is_correct": (np.abs(produced - sample) < CORRECT_FRACTION * sample).astype(np.int64),
        }
    )
