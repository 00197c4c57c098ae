"""Profiles training steps: time in kernels, number of launches, and GPU utilization."""

import time
from collections import Counter

import torch
from torch._C._autograd import DeviceType
from torch.profiler import ProfilerActivity, profile

from benchmarks.gpu_parts.context import RNNF, Context
from benchmarks.gpu_parts.timing import side_by_side_training, step_ms

N_KERNELS = 8
"""Number of kernels to list."""

STEPS = 3
"""Number of profiled steps. The profiler records thousands of events per step."""


def run(context: Context) -> None:
    """Profile steps whose kernels are launched individually, and steps captured as a CUDA graph."""
    number = context.size.n_side_by_side[-2]
    for name, captured in (("individual launches", False), ("CUDA graph", True)):
        steps = side_by_side_training(context, RNNF, number, captured)
        step_ms(context, steps, rounds=1)
        context.synchronize()
        activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if context.has_gpu else [])]
        with profile(activities=activities) as profiled:
            began = time.perf_counter()
            steps_left = iter(range(STEPS))
            steps.train_epoch(lambda: next(steps_left, None) is None)  # noqa: B023
            context.synchronize()
            wall = time.perf_counter() - began
        events = profiled.events() or []
        kernels = [event for event in events if event.device_type == DeviceType.CUDA]
        busy, calls = Counter[str](), Counter[str]()
        for kernel in kernels:
            busy[kernel.name] += kernel.time_range.elapsed_us()
            calls[kernel.name] += 1
        launches = Counter(event.name for event in events if event.name.startswith(("cudaLaunch", "cudaGraphLaunch")))
        if not context.has_gpu:
            continue
        context.record.row(
            f"Profile of a step of rnnf, K = {number}",
            launch=name,
            ms_per_step=1e3 * wall / STEPS,
            kernels_per_step=len(kernels) / STEPS,
            launches_per_step=sum(launches.values()) / STEPS,
            ms_in_kernels=sum(busy.values()) / 1e3 / STEPS,
            GPU_utilization=sum(busy.values()) / 1e6 / wall,
        )
        for kernel_name, microseconds in busy.most_common(N_KERNELS):
            context.record.row(
                f"Longest kernels, {name}",
                kernel=kernel_name.replace("|", "/")[:100],
                calls_per_step=calls[kernel_name] / STEPS,
                us_per_call=microseconds / calls[kernel_name],
                fraction=microseconds / sum(busy.values()),
            )
        torch.cuda.empty_cache()
    if not context.has_gpu:
        context.skip_without_gpu("Kernels and launches of a step")
