"""What a process trains and predicts on."""

import os

import torch

from nlb_search.search.errors import SearchError
from nlb_search.search.worker_protocol import LAUNCHER_VARIABLE


def training_device() -> torch.device:
    """The GPU that this process sees, or the CPU. Raises SearchError if a launcher gave it a GPU that does not work.

    On the CPU torch is held to one thread unless OMP_NUM_THREADS says otherwise: the steps of a recurrent layer are
    too small to share, so a second thread gains nothing alone, and beside busy workers it loses a factor of ten.
    """
    if torch.cuda.is_available():
        return torch.device("cuda")
    given = os.environ.get("CUDA_VISIBLE_DEVICES")
    if given and LAUNCHER_VARIABLE in os.environ:
        raise SearchError(f"this worker was given GPU {given}, and torch cannot use it: see `nvidia-smi`")
    if "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(1)
    return torch.device("cpu")
