"""``python -m benchmarks.speed.step_operations``: the number of operations in a training step, by what they are for.

On a GPU, an operation is at least one kernel, and most kernels of a step of small networks take about as long as the
smallest one (see "On a GPU" in RESULTS.md). So their number predicts the time of a step where no GPU is at hand. Views
and empty tensors, which launch nothing, are not counted. Sizes are those of mc_rtt. Prints a Markdown table.
"""

import sys
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from benchmarks.speed.side_by_side import CHAINS, trainings
from nlb_search.models.training.stacked_trainings import StackedTrainings

PARTS = {
    "random numbers": ("random_draws.py",),
    "optimizer": ("optimizer.py", "weight_average.py", "learning_rate_schedule.py"),
    "recurrences": ("gated_recurrence.py", "scan.py"),
}
"""Files of functions that are counted separately. All other operations belong to the network and its loss."""

OTHERS = "network and loss"

WITHOUT_KERNEL = ("aten::_unsafe_view", "aten::empty", "aten::empty_like", "aten::empty_strided", "aten::new_empty")
"""Operations that compute nothing, in addition to views."""


class Operations(TorchDispatchMode):
    """Counts the operations in this context. Those of a backward pass belong to the file of their forward pass only if
    it defines its own gradient, as the recurrences do.
    """

    def __init__(self) -> None:
        super().__init__()
        self.number: Counter[str] = Counter()

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None) -> Any:
        if not func.is_view and func.name().partition(".")[0] not in WITHOUT_KERNEL:
            self.number[next(_parts_of_callers(), OTHERS)] += 1
        return func(*args, **(kwargs or {}))


def _parts_of_callers() -> Iterator[str]:
    """The parts of the functions that are running, from the innermost one."""
    frame = sys._getframe(2)
    while frame.f_back is not None:
        for part, files in PARTS.items():
            if frame.f_code.co_filename.endswith(files):
                yield part
        frame = frame.f_back


def operations_of_step(chain: str, number: int) -> Counter[str]:
    """Operations in one step of ``number`` trials side by side, by part."""
    stacked = StackedTrainings(trainings(chain, number, n_trials=32, device=torch.device("cpu")))
    operations = Operations()

    def counted(step: Callable[[Tensor], Tensor], given: Tensor) -> Tensor:
        with operations:
            return step(given)

    stacked._repeated = counted
    stacked.train_epoch(lambda: False)  # a single step, of 32 trials
    return operations.number


def main() -> None:
    columns = (*PARTS, OTHERS)
    print(f"| chain | K | {' | '.join(columns)} | together |\n|{'---|' * (len(columns) + 3)}")
    for chain in CHAINS:
        for number in (1, 4):
            counted = operations_of_step(chain, number)
            numbers = " | ".join(str(counted[part]) for part in columns)
            print(f"| {chain} | {number} | {numbers} | {counted.total()} |")


if __name__ == "__main__":
    main()
