"""The maze layouts (mc_maze and its three smaller versions): delayed reaches through mazes.

A condition is a maze (``trial_type``) in one of three versions: a straight reach, or a reach around barriers to one
side or the other.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from nlb_search.data.datasets import FORWARD_MS
from nlb_search.data.synthesis.behavior import Behavior, at_1khz
from nlb_search.data.synthesis.latents import FloatArray, GaussianProcess, IntArray
from nlb_search.data.synthesis.tasks.reach import Reach, bell, directions
from nlb_search.data.synthesis.tasks.task import TAPER_MS, Recipe, Schedule, back_to_back

VERSIONS = 3
MAZES = {"mc_maze": 36, "mc_maze_large": 9, "mc_maze_medium": 9, "mc_maze_small": 9}
"""Number of mazes per dataset, which gives 108 conditions in mc_maze and 27 in the others."""

BEFORE_MS = 320
"""Time from the start of a trial to movement onset.

Real trials are a second longer, but nlb_tools builds a table with one row per ms of the session, and a session of 2869
such trials would not fit into the memory of most computers.
"""

REACTION_MS = (200, 240)
DELAY_MS = (20, 60)


class Maze(Reach):
    """Reaches through mazes.

    Three fifths of the latents' variance are the same in all trials of a condition, so trial averages explain much of
    the activity, but not all. With more than a hundred held-in neurons, the observer infers the latents accurately, so
    the gain is lower than in layouts with few neurons. The ceiling is about 0.33 bits per spike in mc_maze and between
    0.25 and 0.35 in the others.
    """

    recipe = Recipe(n_latents=6, timescale_ms=100.0, template_share=0.6, gain=0.7, median_hz=6.0)

    def draw_conditions(self, rng: np.random.Generator) -> pd.DataFrame:
        n_mazes = MAZES[self.dataset.name]
        maze = np.repeat(np.arange(n_mazes), VERSIONS)
        return pd.DataFrame(
            {
                "trial_type": maze + 1,
                "trial_version": np.tile(np.arange(VERSIONS), n_mazes),
                "maze_id": maze + 1,
                "angle": np.repeat(rng.uniform(-np.pi, np.pi, n_mazes), VERSIONS),
                "curvature": np.tile([0.0, 1.0, -1.0], n_mazes),
            }
        )

    def movement(self, time_ms: IntArray) -> FloatArray:
        angles = self.conditions["angle"].to_numpy()
        along = bell(time_ms, 220, 90)[None, :, None] * directions(angles)[:, None]
        swerve = bell(time_ms, 150, 60) - bell(time_ms, 290, 60)
        sideways = swerve[None, :, None] * directions(angles + np.pi / 2)[:, None]
        return np.asarray(along + 0.6 * self.conditions["curvature"].to_numpy()[:, None, None] * sideways)

    def features(self) -> FloatArray:
        angles, curvature = self.conditions["angle"].to_numpy(), self.conditions["curvature"].to_numpy()
        tuning = np.concatenate([directions(angles), directions(2 * angles)], axis=1)
        return np.column_stack([np.ones(len(angles)), tuning, curvature, curvature[:, None] * directions(angles)])

    def schedule(self, splits: Sequence[str], rng: np.random.Generator) -> Schedule:
        n_trials = len(splits)
        condition = rng.integers(len(self.conditions), size=n_trials)
        window_start, window_stop = self.dataset.window_ms
        after = np.full(n_trials, window_stop + FORWARD_MS + TAPER_MS)
        onset, length = back_to_back(np.full(n_trials, BEFORE_MS), after, window_start)
        reaction = rng.integers(*REACTION_MS, size=n_trials, endpoint=True)
        delay = rng.integers(*DELAY_MS, size=n_trials, endpoint=True)
        kind = self.conditions.iloc[condition].reset_index(drop=True)
        trials = pd.DataFrame(
            {
                "start_time": onset - BEFORE_MS,
                "stop_time": onset + after,
                "target_on_time": onset - reaction - delay,
                "go_cue_time": onset - reaction,
                "move_onset_time": onset,
                "rt": reaction.astype(np.float64),
                "delay": delay.astype(np.float64),
                "success": True,
                "split": list(splits),
                "trial_type": kind["trial_type"],
                "trial_version": kind["trial_version"],
                "maze_id": kind["maze_id"],
                "num_targets": 1,
                "num_barriers": np.where(kind["curvature"] == 0, 0, 4),
                "condition": condition,
            }
        )
        return Schedule(trials, length)

    def behavior(self, schedule: Schedule, latents: FloatArray, rng: np.random.Generator) -> list[Behavior]:  # noqa: ARG002
        hand_pos, hand_vel = self.hand(latents, rng)
        gaze = hand_pos.data + 5 * at_1khz(GaussianProcess(2, 200.0, 1.0).sample(len(latents), rng), 0)
        return [
            hand_pos,
            hand_vel,
            Behavior("cursor_pos", hand_pos.data, ("x", "y"), "mm", "Position of the cursor, which the hand moves"),
            Behavior("eye_pos", gaze, ("x", "y"), "mm", "Point of gaze, near the cursor"),
        ]
