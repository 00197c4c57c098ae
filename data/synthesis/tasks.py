"""The task of each layout."""

from nlb_search.data.datasets import Layout
from nlb_search.data.synthesis.bump import Bump
from nlb_search.data.synthesis.maze import Maze
from nlb_search.data.synthesis.random_target import RandomTarget
from nlb_search.data.synthesis.task import Task
from nlb_search.data.synthesis.timing import Timing

TASKS: dict[Layout, type[Task]] = {"maze": Maze, "random-target": RandomTarget, "bump": Bump, "timing": Timing}
