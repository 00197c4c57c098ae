"""Where the time of a step goes: kernels, launches and the host; and how busy the GPU is."""

import time
from collections import Counter

import torch
from torch.autograd import DeviceType
from torch.profiler import ProfilerActivity, profile

from benchmarks.gpu_parts.context import RNNF, Context
from benchmarks.gpu_parts.timing import laid_out, step_ms

LARGEST = 8
"""Kernels that are listed."""

STEPS = 3
"""Steps under the profiler, which writes down thousands of events a step."""


def run(context: Context) -> None:
    """Profile some steps, launched one by one and captured."""
    number = context.size.together[-2]
    for name, captured in (("launched one by one", False), ("captured", True)):
        steps = laid_out(context, RNNF, number, captured)
        step_ms(context, steps, rounds=1)
        context.synchronize()
        activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if context.has_gpu else [])]
        with profile(activities=activities) as profiled:
            began = time.perf_counter()
            calls = iter(range(STEPS))
            steps.train_epoch(lambda: next(calls, None) is None)  # noqa: B023
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
            f"A step of rnnf, K = {number}, under the profiler",
            how=name,
            ms_a_step=1e3 * wall / STEPS,
            kernels_a_step=len(kernels) / STEPS,
            launches_a_step=sum(launches.values()) / STEPS,
            ms_of_kernels=sum(busy.values()) / 1e3 / STEPS,
            GPU_busy=sum(busy.values()) / 1e6 / wall,
        )
        for kernel_name, microseconds in busy.most_common(LARGEST):
            context.record.row(
                f"The largest kernels, {name}",
                kernel=kernel_name.replace("|", "/")[:100],
                calls_a_step=calls[kernel_name] / STEPS,
                us_a_call=microseconds / calls[kernel_name],
                share=microseconds / sum(busy.values()),
            )
        torch.cuda.empty_cache()
    if not context.has_gpu:
        context.without_gpu("Kernels and launches of a step")
