"""Describes the machine (GPU, driver, CUDA, torch) and runs the tests that need a GPU."""

import platform
import subprocess
import sys
from pathlib import Path

import torch

from benchmarks.gpu_parts.context import Context
from benchmarks.gpu_parts.findings import Value
from nlb_search.search.launching.slots import usable_cores

ROOT = Path(__file__).parents[2]


def device(context: Context) -> None:
    """Record the hardware and the software versions."""
    properties: dict[str, Value] = {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "cores": usable_cores(),
    }
    if context.has_gpu:
        gpu = torch.cuda.get_device_properties(context.device)
        properties |= {
            "GPU": gpu.name,
            "memory": f"{gpu.total_memory / 2**30:.0f} GiB",
            "multiprocessors": gpu.multi_processor_count,
            "driver": _query_driver("driver_version"),
            "CUDA": torch.version.cuda or "none",
            "cuDNN": torch.backends.cudnn.version() or "none",
        }
    for name, value in properties.items():
        context.record.row("Machine", property=name, value=value)
    if not context.has_gpu:
        context.skip_without_gpu("GPU and driver")


def _query_driver(field: str) -> str:
    command = ["nvidia-smi", f"--query-gpu={field}", "--format=csv,noheader"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()[0].strip()


def tests(context: Context) -> None:
    """Run the tests in tests/gpu. Raises RuntimeError with their output if one fails."""
    if not context.has_gpu:
        context.skip_without_gpu("Tests in tests/gpu")
        return
    # Skip tests/conftest.py: it starts servers that these tests do not need.
    command = [
        sys.executable,
        "-m",
        "pytest",
        "tests/gpu",
        "--confcutdir",
        "tests/gpu",
        "-p",
        "no:cacheprovider",
        "-rs",
    ]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    print(done.stdout)
    if done.returncode:
        raise RuntimeError(f"tests failed:\n{done.stdout[-6000:]}")
    context.record.sentence(f"Tests that need a GPU: {done.stdout.strip().splitlines()[-1]}")
