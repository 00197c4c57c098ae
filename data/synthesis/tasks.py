"""Which task a layout's recordings are made of."""

from data.datasets import Layout
from data.synthesis.bump import Bump
from data.synthesis.maze import Maze
from data.synthesis.random_target import RandomTarget
from data.synthesis.task import Task
from data.synthesis.timing import Timing

TASKS: dict[Layout, type[Task]] = {"maze": Maze, "random-target": RandomTarget, "bump": Bump, "timing": Timing}
