"""The bump layout (area2_bump): reaches from the centre, and bumps of the hand while it waits there.

Active trials (``ctr_hold_bump`` 0) are reaches in one of eight directions. In passive trials (``ctr_hold_bump`` 1), a
robot arm pushes the hand in one of these directions. Neurons of area 2 respond after the movement, so the lag is
negative.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from nlb_search.data.datasets import FORWARD_MS
from nlb_search.data.synthesis.behavior import Behavior
from nlb_search.data.synthesis.latents import FloatArray, IntArray
from nlb_search.data.synthesis.tasks.reach import Reach, balanced, bell, directions
from nlb_search.data.synthesis.tasks.task import TAPER_MS, UNUSED_SHARE, Recipe, Schedule, back_to_back

DIRECTIONS = 8
BEFORE_MS = 400
REACTION_MS = (180, 280)
BUMP_TO_MOVEMENT_MS = 20
HOLD_AFTER_BUMP_MS = 500


class Bump(Reach):
    """Reaches and bumps.

    Three fifths of the latents' variance are the same in all trials of a condition. The gain is high, because there are
    few neurons. The ceiling is about 0.33 bits per spike.
    """

    recipe = Recipe(n_latents=5, timescale_ms=100.0, template_share=0.6, gain=0.8, median_hz=8.0)

    def n_unused(self, n_train: int) -> int:
        return max(1, round(UNUSED_SHARE * n_train))

    def draw_conditions(self, rng: np.random.Generator) -> pd.DataFrame:  # noqa: ARG002
        return pd.DataFrame(
            {
                "ctr_hold_bump": np.repeat([0, 1], DIRECTIONS),
                "cond_dir": np.tile(np.arange(DIRECTIONS) * 360.0 / DIRECTIONS, 2),
            }
        )

    def movement(self, time_ms: IntArray) -> FloatArray:
        reach = bell(time_ms, 220, 90)
        bump = bell(time_ms, 70, 40) - 0.5 * bell(time_ms, 220, 70)
        speeds = np.stack([reach, bump])[self.conditions["ctr_hold_bump"].to_numpy()]
        return np.asarray(speeds[:, :, None] * self._directions()[:, None])

    def features(self) -> FloatArray:
        passive = self.conditions["ctr_hold_bump"].to_numpy()[:, None]
        tuning = np.column_stack([np.ones(len(passive)), self._directions()])
        return np.concatenate([tuning * (1 - passive), tuning * passive], axis=1)

    def _directions(self) -> FloatArray:
        return directions(np.deg2rad(self.conditions["cond_dir"].to_numpy()))

    def schedule(self, splits: Sequence[str], rng: np.random.Generator) -> Schedule:
        n_trials = len(splits)
        passive = balanced(splits, 2, rng)
        condition = passive * DIRECTIONS + rng.integers(DIRECTIONS, size=n_trials)
        cond_dir = self.conditions["cond_dir"].to_numpy()[condition]
        window_start, window_stop = self.dataset.window_ms
        after = np.full(n_trials, window_stop + FORWARD_MS + TAPER_MS)
        onset, length = back_to_back(np.full(n_trials, BEFORE_MS), after, window_start)
        reaction = rng.integers(*REACTION_MS, size=n_trials, endpoint=True)
        failed = np.array(splits) == "none"
        trials = pd.DataFrame(
            {
                "start_time": onset - BEFORE_MS,
                "stop_time": onset + after,
                "target_on_time": onset - reaction - BUMP_TO_MOVEMENT_MS,
                "go_cue_time": np.where(passive == 1, onset + HOLD_AFTER_BUMP_MS, onset - reaction),
                "bump_time": np.where(passive == 1, onset - BUMP_TO_MOVEMENT_MS, np.nan),
                "move_onset_time": np.where(failed, np.nan, onset),
                "ctr_hold": 1,
                "ctr_hold_bump": passive,
                "bump_dir": np.where(passive == 1, cond_dir, np.nan),
                "target_dir": cond_dir,
                "cond_dir": cond_dir,
                "result": np.where(failed, "F", "R"),
                "split": list(splits),
                "condition": condition,
            }
        )
        return Schedule(trials, length)

    def behavior(self, schedule: Schedule, latents: FloatArray, rng: np.random.Generator) -> list[Behavior]:  # noqa: ARG002
        return list(self.hand(latents, rng))
