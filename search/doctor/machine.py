"""Checks of this machine: Python, torch, GPUs and cores."""

import platform
import shutil
import subprocess
import sys
from importlib.metadata import version

from nlb_search.search.doctor.check import Check
from nlb_search.search.launching.slots import usable_cores

OLDEST_PYTHON = (3, 11)


def check_python() -> Check:
    found = f"{platform.python_version()} on {platform.system()}, nlb-search {version('nlb-search')}"
    supported = sys.version_info >= OLDEST_PYTHON and sys.platform in ("linux", "darwin")
    return Check("Python", found, "" if supported else "use Python 3.11 or newer on Linux or macOS")


def check_torch() -> Check:
    import torch

    build = f"built for CUDA {torch.version.cuda}" if torch.version.cuda else "built without CUDA"
    found = f"{torch.__version__}, {build}"
    if torch.version.cuda is None and _driver() is not None:
        return Check("torch", found, "this machine has an NVIDIA GPU: install torch's build for CUDA (pytorch.org)")
    return Check("torch", found)


def check_gpus() -> Check:
    """GPUs that workers can use. Finding none is a problem only if the machine has a GPU."""
    import torch

    driver = _driver()
    if not torch.cuda.is_available():
        cores = f"none: workers use the {usable_cores()} cores of this machine"
        works = driver is None or torch.version.cuda is None
        advice = f"torch cannot use the GPU (driver {driver}): update the driver, and check CUDA_VISIBLE_DEVICES"
        return Check("GPUs", cores, "" if works else advice)
    gpus = []
    for number in range(torch.cuda.device_count()):
        free, total = torch.cuda.mem_get_info(number)
        gpus.append(f"{torch.cuda.get_device_name(number)} ({free / 2**30:.0f} of {total / 2**30:.0f} GiB free)")
    return Check("GPUs", f"{'; '.join(gpus)}, driver {driver}")


def _driver() -> str | None:
    """The version of NVIDIA's driver, or None if there is no NVIDIA GPU."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return None
    query = [program, "--query-gpu=driver_version", "--format=csv,noheader"]
    done = subprocess.run(query, capture_output=True, text=True, timeout=20, check=False)
    return done.stdout.strip().partition("\n")[0] or None if done.returncode == 0 else None
