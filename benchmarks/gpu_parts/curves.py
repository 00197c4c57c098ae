"""Compares learning curves of the same trials on a CPU, on a GPU, and on the GPU in lower precision."""

import statistics
import time

import torch

from benchmarks.gpu_parts.context import RNNF, Context, trainings
from benchmarks.gpu_parts.timing import PRECISIONS, precision
from nlb_search.models.training.trainer import Trainer, ValScorer
from nlb_search.models.training.training import Evaluation

CPU_EPOCHS = 3
"""Number of epochs to compare with the CPU, where a step takes a hundred times as long."""

FLOAT32_TOLERANCE = 5e-3
"""In bits per spike. Devices add in different orders, and the rounding differences grow from step to step."""


def curves(context: Context, device: torch.device, number: int, epochs: int, stop_after: int) -> list[list[float]]:
    """co-bps on val after each of the first ``stop_after`` epochs, for ``number`` trials trained side by side."""
    recording = context.size.recording
    trainer = Trainer(ValScorer(recording.val.to(device)))
    members = trainings(RNNF, number, recording.train.to(device), epochs, device)
    found: list[list[float]] = [[] for _ in members]
    for _ in range(stop_after):
        for curve, outcome in zip(found, trainer.advance(members), strict=True):
            if not isinstance(outcome, Evaluation):
                raise outcome
            curve.append(outcome.co_bps)
    return found


def run(context: Context) -> None:
    """Compare CPU and GPU in float32, then the precisions on the GPU. Raises ValueError if float32 scores differ."""
    size = context.size
    (on_cpu,) = curves(context, torch.device("cpu"), 1, size.epochs, CPU_EPOCHS)
    (on_device,) = curves(context, context.device, 1, size.epochs, CPU_EPOCHS)
    for epoch, (cpu, gpu) in enumerate(zip(on_cpu, on_device, strict=True), 1):
        context.record.row("One trial, float32: co-bps on val", epoch=epoch, CPU=cpu, device=gpu, difference=gpu - cpu)
    reference = None
    for kind in PRECISIONS:
        began = time.perf_counter()
        with precision(kind, context.device):
            found = curves(context, context.device, size.seeds, size.epochs, size.epochs)
        seconds = time.perf_counter() - began
        best = [max(curve) for curve in found]
        reference = reference or best
        max_difference = max(abs(score - other) for score, other in zip(best, reference, strict=True))
        context.record.row(
            "Precision of matrix products: best co-bps on val",
            precision=kind,
            trials=len(best),
            mean=statistics.fmean(best),
            max_difference_from_float32=max_difference,
            seconds=seconds,
        )
    difference = max(abs(gpu - cpu) for cpu, gpu in zip(on_cpu, on_device, strict=True))
    if difference > FLOAT32_TOLERANCE:
        raise ValueError(f"float32 on {context.device} differs from the CPU by {difference:.4f} co-bps")
