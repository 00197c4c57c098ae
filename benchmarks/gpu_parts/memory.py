"""How many trials fit side by side, and what happens when they do not."""

import gc
import logging
import time

import torch

from benchmarks.gpu_parts.context import RNNF, Context, trainings
from benchmarks.gpu_parts.timing import laid_out
from benchmarks.shared.synthetic_searches import random_counts
from nlb_search.models.training.cuda_graphs import WARM_UP_CALLS
from nlb_search.models.training.side_by_side import SideBySide
from nlb_search.models.training.state import Progress
from nlb_search.models.training.trainer import Trainer, Val

LARGEST_TRIED = 4096


class _Words(logging.Handler):
    """Keeps what is logged."""

    def __init__(self) -> None:
        super().__init__()
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.said.append(record.getMessage())


def run(context: Context) -> None:
    """Memory against trials side by side, doubled until it is spent; then too little memory on purpose."""
    if context.has_gpu:
        _until_full(context)
    else:
        laid_out(context, RNNF, 2).train_epoch(lambda: False)
        context.without_gpu("Memory of a GPU and the largest K that fits")
    _provoked(context)


def _until_full(context: Context) -> None:
    number, took = context.size.together[-1], 0.0
    while number <= LARGEST_TRIED and context.seconds_left > 4 * took + 10:
        _free()
        began = time.monotonic()
        try:
            steps = laid_out(context, RNNF, number)
            _few(steps)
            context.synchronize()
        except torch.cuda.OutOfMemoryError as error:
            context.record.say(f"K = {number} does not fit: {str(error).splitlines()[0]}")
            return
        took = time.monotonic() - began
        held = torch.cuda.max_memory_reserved() / 2**30
        context.record.row(
            "Memory with K trials of rnnf side by side", K=number, GiB=held, MB_of_each=1024 * held / number
        )
        del steps
        number *= 2


def _few(steps: SideBySide) -> None:
    """A few steps, of which the last is a replay of the graph."""
    calls = iter(range(WARM_UP_CALLS + 3))
    steps.train_epoch(lambda: next(calls, None) is None)


def _free() -> None:
    gc.collect()
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()


def _provoked(context: Context) -> None:
    """Train trials with memory for a third of them. Raises RuntimeError if one of them is lost."""
    number = context.size.together[-1]
    counts = random_counts(32 * context.size.steps, context.size.sizes).to(context.device)
    trainer = Trainer(Val(counts))
    members = trainings(RNNF, number, counts, 2, context.device)
    words = _Words()
    logging.getLogger("nlb_search.models.training.trainer").addHandler(words)
    if context.has_gpu:
        _free()
        _few(SideBySide(members))
        needed = torch.cuda.max_memory_reserved()
        _free()
        total = torch.cuda.get_device_properties(context.device).total_memory
        torch.cuda.set_per_process_memory_fraction((torch.cuda.memory_reserved() + needed / 3) / total)
    outcomes = trainer.advance(members)
    lost = [outcome for outcome in outcomes if not isinstance(outcome, Progress)]
    if lost:
        raise RuntimeError(f"{len(lost)} of {number} trials were lost for want of memory") from lost[0]
    if context.has_gpu:
        said = "; ".join(word.split(" (")[0] for word in words.said) or "nothing"
        context.record.say(f"With memory for a third of {number} trials, all {number} were trained. The log: {said}.")
        if not words.said:
            raise RuntimeError("memory was not too little: nothing was provoked")
    else:
        context.without_gpu("Too little memory")
