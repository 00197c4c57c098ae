"""Measures how many trials fit in GPU memory side by side, and tests training with too little memory."""

import gc
import logging
import time

import torch

from benchmarks.gpu_parts.context import RNNF, Context, trainings
from benchmarks.gpu_parts.timing import side_by_side_training
from benchmarks.shared.synthetic_searches import random_counts
from nlb_search.models.training.cuda_graphs import WARM_UP_CALLS
from nlb_search.models.training.stacked_trainings import StackedTrainings
from nlb_search.models.training.trainer import Trainer, ValScorer
from nlb_search.models.training.training import Evaluation

MAX_TRIALS = 4096


class _Messages(logging.Handler):
    """Collects log messages."""

    def __init__(self) -> None:
        super().__init__()
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(record.getMessage())


def run(context: Context) -> None:
    """Double the number of trials until memory is exhausted; then train with too little memory on purpose."""
    if context.has_gpu:
        _double_until_full(context)
    else:
        side_by_side_training(context, RNNF, 2).train_epoch(lambda: False)
        context.skip_without_gpu("GPU memory and the largest K that fits")
    _train_with_too_little_memory(context)


def _double_until_full(context: Context) -> None:
    number, seconds = context.size.n_side_by_side[-1], 0.0
    while number <= MAX_TRIALS and context.seconds_left > 4 * seconds + 10:
        _free_memory()
        began = time.monotonic()
        try:
            steps = side_by_side_training(context, RNNF, number)
            _run_few_steps(steps)
            context.synchronize()
        except torch.cuda.OutOfMemoryError as error:
            context.record.sentence(f"K = {number} does not fit: {str(error).splitlines()[0]}")
            return
        seconds = time.monotonic() - began
        reserved = torch.cuda.max_memory_reserved() / 2**30
        context.record.row(
            "Memory of K trials of rnnf side by side", K=number, GiB=reserved, MB_per_trial=1024 * reserved / number
        )
        del steps
        number *= 2


def _run_few_steps(steps: StackedTrainings) -> None:
    """Run a few steps; the last is a replay of the captured graph."""
    calls = iter(range(WARM_UP_CALLS + 3))
    steps.train_epoch(lambda: next(calls, None) is None)


def _free_memory() -> None:
    gc.collect()
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()


def _train_with_too_little_memory(context: Context) -> None:
    """Train trials with memory for a third of them. Raises RuntimeError if a trial fails."""
    number = context.size.n_side_by_side[-1]
    counts = random_counts(32 * context.size.steps, context.size.sizes).to(context.device)
    trainer = Trainer(ValScorer(counts))
    members = trainings(RNNF, number, counts, 2, context.device)
    messages = _Messages()
    logging.getLogger("nlb_search.models.training.trainer").addHandler(messages)
    if context.has_gpu:
        _free_memory()
        _run_few_steps(StackedTrainings(members))
        needed = torch.cuda.max_memory_reserved()
        _free_memory()
        total = torch.cuda.get_device_properties(context.device).total_memory
        torch.cuda.set_per_process_memory_fraction((torch.cuda.memory_reserved() + needed / 3) / total)
    outcomes = trainer.advance(members)
    failed = [outcome for outcome in outcomes if not isinstance(outcome, Evaluation)]
    if failed:
        raise RuntimeError(f"{len(failed)} of {number} trials failed with too little memory") from failed[0]
    if context.has_gpu:
        logged = "; ".join(message.split(" (")[0] for message in messages.messages) or "nothing"
        context.record.sentence(f"All {number} trials were trained with memory for a third of them. Logged: {logged}.")
        if not messages.messages:
            raise RuntimeError("the memory limit was too high: all trials fit")
    else:
        context.skip_without_gpu("Training with too little memory")
