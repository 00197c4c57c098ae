"""Selects the device for training and prediction."""

import os

import torch

from nlb_search.search.errors import SearchError
from nlb_search.search.worker_protocol import LAUNCHER_VARIABLE


def training_device() -> torch.device:
    """The GPU visible to this process, or the CPU.

    On the CPU, torch uses one thread unless OMP_NUM_THREADS is set. The operations of a recurrent layer are too small
    to split: a second thread does not help, and next to busy workers it makes training ten times slower. Raises
    SearchError if a launcher assigned a GPU that does not work.
    """
    if torch.cuda.is_available():
        return torch.device("cuda")
    given = os.environ.get("CUDA_VISIBLE_DEVICES")
    if given and LAUNCHER_VARIABLE in os.environ:
        raise SearchError(f"torch cannot use GPU {given}, which was assigned to this worker: check `nvidia-smi`")
    if "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(1)
    return torch.device("cpu")
