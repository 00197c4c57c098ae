"""The task of each layout."""

from nlb_search.data.datasets import Layout
from nlb_search.data.synthesis.tasks.bump import Bump
from nlb_search.data.synthesis.tasks.maze import Maze
from nlb_search.data.synthesis.tasks.random_target import RandomTarget
from nlb_search.data.synthesis.tasks.task import Task
from nlb_search.data.synthesis.tasks.timing import Timing

TASKS: dict[Layout, type[Task]] = {"maze": Maze, "random-target": RandomTarget, "bump": Bump, "timing": Timing}
