"""Reaching with conditions: common code of the maze and bump layouts.

Each condition has a template: the mean latents around movement onset. The first two latents encode the movement of the
condition. The others are smooth random time courses that are tuned to the features of the condition, as motor cortex is
tuned to direction.
"""

from abc import abstractmethod
from collections.abc import Sequence

import numpy as np
import pandas as pd

from nlb_search.data.datasets import FORWARD_MS, Dataset
from nlb_search.data.synthesis.behavior import Behavior, position, velocity
from nlb_search.data.synthesis.latents import BIN_MS, FloatArray, GaussianProcess, IntArray
from nlb_search.data.synthesis.tasks.task import TAPER_MS, Task

MOVEMENT_PEAK = 2.0
"""Amplitude of the latents at the peak of a movement, which gives 200 mm/s."""

COURSE_TIMESCALE_MS = 120.0
VELOCITY_NOISE = 0.3


class Reach(Task):
    """A task with a finite number of conditions."""

    def __init__(self, dataset: Dataset, rng: np.random.Generator) -> None:
        super().__init__(dataset, rng)
        start, stop = dataset.window_ms
        self._times = np.arange(start - TAPER_MS, stop + FORWARD_MS + TAPER_MS, BIN_MS)
        self.conditions = self.draw_conditions(rng)
        movement = self.movement(self._times + dataset.lag_ms)
        features = self.features()
        process = GaussianProcess(self.recipe.n_latents - 2, COURSE_TIMESCALE_MS, 1.0)
        courses = np.stack([process.sample(len(self._times), rng) for _ in range(features.shape[1])])
        tuned = np.einsum("kf,ftd->ktd", features, courses)
        tuned *= np.sqrt(self.recipe.template_share / np.mean(tuned**2, axis=(0, 1)))
        self._templates = np.concatenate([MOVEMENT_PEAK * movement, tuned], axis=2)

    @abstractmethod
    def draw_conditions(self, rng: np.random.Generator) -> pd.DataFrame:
        """Draw the conditions: a table with one row per condition."""

    @abstractmethod
    def movement(self, time_ms: IntArray) -> FloatArray:
        """Velocity in each condition, conditions x times x 2, at most about 1. Times are relative to movement onset."""

    @abstractmethod
    def features(self) -> FloatArray:
        """The features that neurons are tuned to, conditions x features."""

    def mean(self, trials: pd.DataFrame, time_ms: FloatArray) -> FloatArray:
        bins = ((time_ms - self._times[0]) // BIN_MS).astype(np.int64)
        return np.asarray(self._templates[trials["condition"].to_numpy()[:, None], bins])

    def candidates(self, split: str, rng: np.random.Generator) -> pd.DataFrame:  # noqa: ARG002
        return pd.DataFrame({"condition": np.arange(len(self.conditions))})

    def hand(self, latents: FloatArray, rng: np.random.Generator) -> tuple[Behavior, Behavior]:
        """Position and velocity of the hand."""
        hand_vel = velocity(latents, self.dataset.lag_ms, VELOCITY_NOISE, rng)
        return (
            Behavior("hand_pos", position(hand_vel), ("x", "y"), "mm", "Position of the hand"),
            Behavior("hand_vel", hand_vel, ("x", "y"), "mm/s", "Velocity of the hand"),
        )


def bell(time_ms: IntArray | FloatArray, peak_ms: float, width_ms: float) -> FloatArray:
    """Speed of a movement: a Gaussian in time with standard deviation ``width_ms``, which is one at its peak."""
    return np.asarray(np.exp(-(((time_ms - peak_ms) / width_ms) ** 2) / 2))


def directions(angles: FloatArray) -> FloatArray:
    """Unit vectors, angles x 2."""
    return np.stack([np.cos(angles), np.sin(angles)], axis=1)


def balanced(splits: Sequence[str], n_groups: int, rng: np.random.Generator) -> IntArray:
    """Assign trials to groups at random, such that the groups of each split differ in size by at most one."""
    labels = np.array(splits)
    groups = np.zeros(len(labels), dtype=np.int64)
    for split in dict.fromkeys(splits):
        chosen = labels == split
        groups[chosen] = rng.permutation(np.arange(chosen.sum()) % n_groups)
    return groups
