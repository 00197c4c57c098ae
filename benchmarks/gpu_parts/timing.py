"""How long steps of training take on a device, captured as a CUDA graph or launched one by one."""

import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from benchmarks.gpu_parts.context import Context, trainings
from benchmarks.shared.synthetic_searches import random_counts
from nlb_search.models.training.cuda_graphs import WARM_UP_CALLS
from nlb_search.models.training.side_by_side import SideBySide

PRECISIONS = ("float32", "TF32", "bfloat16")


class Launched:
    """In place of ``models.training.cuda_graphs.CapturedStep``: every call launches its kernels one by one."""

    def __call__(self, step: Callable[[Tensor], Tensor], given: Tensor) -> Tensor:
        return step(given)


@contextmanager
def precision(name: str, device: torch.device) -> Iterator[None]:
    """Products of matrices in this precision; everything else stays float32."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high" if name == "TF32" else "highest")
    # Without its cache, for casts that are kept from outside a captured graph would be stale when it is replayed.
    with torch.autocast(device.type, torch.bfloat16, enabled=name == "bfloat16", cache_enabled=False):
        yield
    torch.set_float32_matmul_precision(before)


def laid_out(context: Context, chain: str, number: int, captured: bool = True) -> SideBySide:
    """Trainings side by side on spikes that mean nothing, of the size's number of steps an epoch."""
    counts = random_counts(32 * context.size.steps, context.size.sizes).to(context.device)
    steps = SideBySide(trainings(chain, number, counts, 20, context.device))
    if not captured:
        steps._repeated = Launched()  # type: ignore[assignment]
    return steps


def step_ms(context: Context, steps: SideBySide, rounds: int = 3) -> float:
    """Milliseconds of a step of all, the median over epochs after a first one that warms up and captures."""
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
