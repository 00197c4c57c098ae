"""Times training steps on a device, captured as a CUDA graph or with individual kernel launches."""

import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from benchmarks.gpu_parts.context import Context, trainings
from benchmarks.shared.synthetic_searches import random_counts
from nlb_search.models.training.cuda_graphs import WARM_UP_CALLS
from nlb_search.models.training.stacked_trainings import StackedTrainings

PRECISIONS = ("float32", "TF32", "bfloat16")


class UncapturedStep:
    """Replaces ``models.training.cuda_graphs.CapturedStep``: every call launches its kernels individually."""

    def __call__(self, step: Callable[[Tensor], Tensor], given: Tensor) -> Tensor:
        return step(given)


@contextmanager
def precision(name: str, device: torch.device) -> Iterator[None]:
    """Compute matrix products in this precision and everything else in float32."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high" if name == "TF32" else "highest")
    # Disable the autocast cache: a cast cached outside a captured graph would be stale when the graph is replayed.
    with torch.autocast(device.type, torch.bfloat16, enabled=name == "bfloat16", cache_enabled=False):
        yield
    torch.set_float32_matmul_precision(before)


def side_by_side_training(context: Context, chain: str, number: int, captured: bool = True) -> StackedTrainings:
    """``number`` trainings side by side on random spikes, with ``size.steps`` steps per epoch."""
    counts = random_counts(32 * context.size.steps, context.size.sizes).to(context.device)
    steps = StackedTrainings(trainings(chain, number, counts, 20, context.device))
    if not captured:
        steps._repeated = UncapturedStep()
    return steps


def step_ms(context: Context, steps: StackedTrainings, rounds: int = 3) -> float:
    """Milliseconds per step of all trainings together: median over epochs, after one epoch for warm-up and capture."""
    assert context.size.steps > WARM_UP_CALLS
    times = []
    for _ in range(rounds + 1):
        context.synchronize()
        began = time.perf_counter()
        losses = steps.train_epoch(lambda: False)
        context.synchronize()
        assert losses is not None
        times.append(1e3 * (time.perf_counter() - began) / len(losses))
    return statistics.median(times[1:])
