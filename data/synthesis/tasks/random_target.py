"""The random-target layout (mc_rtt): a continuous session of self-paced reaching, cut into segments of 600 ms.

There are no conditions, so the latents have no templates. Segments in the train file follow each other without gaps,
and the forward bins of each are the first bins of the next. Segments in the test file are spaced apart.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from nlb_search.data.datasets import FORWARD_MS
from nlb_search.data.synthesis.behavior import Behavior, position, velocity
from nlb_search.data.synthesis.latents import FloatArray
from nlb_search.data.synthesis.tasks.task import MARGIN_MS, Recipe, Schedule, Task

TEST_SPACING_MS = 1000
TARGET_MS = (700, 1500)
"""Shortest and longest time that a target is shown."""

VELOCITY_NOISE = 0.7


class RandomTarget(Task):
    """Reaches to random targets.

    The five latents have a timescale of 100 ms, as smooth as the speed of self-paced reaches. The gain is chosen such
    that the ceiling is high enough to distinguish models, and low enough that models overfit as on the real recording.
    The ceiling is about 0.35 bits per spike with 60 held-in neurons (500 trials) and 0.41 with all 98.
    """

    recipe = Recipe(n_latents=5, timescale_ms=100.0, template_share=0.0, gain=0.8, median_hz=8.0)

    def schedule(self, splits: Sequence[str], rng: np.random.Generator) -> Schedule:  # noqa: ARG002
        length = self.dataset.window_length_ms
        spacing = TEST_SPACING_MS if "test" in splits else length
        starts = MARGIN_MS + spacing * np.arange(len(splits))
        trials = pd.DataFrame({"start_time": starts, "stop_time": starts + length, "split": list(splits)})
        return Schedule(trials, int(starts[-1]) + length + FORWARD_MS + MARGIN_MS)

    def mean(self, trials: pd.DataFrame, time_ms: FloatArray) -> FloatArray:
        return np.zeros((len(trials), time_ms.shape[1], self.recipe.n_latents))

    def candidates(self, split: str, rng: np.random.Generator) -> pd.DataFrame:  # noqa: ARG002
        return pd.DataFrame({self.dataset.align_field: [0]})

    def behavior(self, schedule: Schedule, latents: FloatArray, rng: np.random.Generator) -> list[Behavior]:
        finger_vel = velocity(latents, self.dataset.lag_ms, VELOCITY_NOISE, rng)
        finger_pos = position(finger_vel)
        columns = ("x", "y")
        return [
            Behavior("finger_pos", finger_pos, columns, "mm", "Position of the fingertip"),
            Behavior("finger_vel", finger_vel, columns, "mm/s", "Velocity of the fingertip"),
            Behavior("cursor_pos", finger_pos, columns, "mm", "Position of the cursor, which the finger moves"),
            Behavior("target_pos", _targets(schedule.length_ms, rng), columns, "mm", "Position of the target shown"),
        ]


def _targets(length_ms: int, rng: np.random.Generator) -> FloatArray:
    """Position of the target shown at each ms, ms x 2. Targets are shown one after the other."""
    durations = rng.integers(*TARGET_MS, size=length_ms // TARGET_MS[0] + 1)
    positions = rng.uniform(-50, 50, size=(len(durations), 2))
    return np.asarray(np.repeat(positions, durations, axis=0)[:length_ms])
