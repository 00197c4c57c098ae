"""The machine: card, driver, CUDA, torch; and the tests that need a GPU."""

import platform
import subprocess
import sys
from pathlib import Path

import torch

from benchmarks.gpu_parts.context import Context
from nlb_search.search.launching.slots import usable_cores

ROOT = Path(__file__).parents[2]


def device(context: Context) -> None:
    """Print what everything else is measured on."""
    facts = {"python": platform.python_version(), "torch": torch.__version__, "cores": usable_cores()}
    if context.has_gpu:
        properties = torch.cuda.get_device_properties(context.device)
        facts |= {
            "card": properties.name,
            "memory": f"{properties.total_memory / 2**30:.0f} GiB",
            "multiprocessors": properties.multi_processor_count,
            "driver": _asked("driver_version"),
            "CUDA": torch.version.cuda or "none",
            "cuDNN": torch.backends.cudnn.version() or "none",
        }
    for what, value in facts.items():
        context.record.row("Machine", what=what, value=value)
    if not context.has_gpu:
        context.without_gpu("Card and driver")


def _asked(field: str) -> str:
    command = ["nvidia-smi", f"--query-gpu={field}", "--format=csv,noheader"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()[0].strip()


def tests(context: Context) -> None:
    """Run the tests of tests/gpu. Raises RuntimeError with their words if one fails."""
    if not context.has_gpu:
        context.without_gpu("The tests of tests/gpu")
        return
    # Without the suite's own conftest, which starts servers that these tests do not need.
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
    context.record.say(f"The tests that need a GPU: {done.stdout.strip().splitlines()[-1]}")
