"""How much of a trial one step of training reads: all of it, or a shorter crop.

The published search names these DT and dT without defining them; this is our reading. A crop is a small copy of what
the benchmark asks for: some bins of the window to read, and as many forward bins after them as the recording has.
"""

import math

import torch
from torch import Tensor

from nlb_search.models.masking.variants import WHOLE
from nlb_search.models.random_draws import uniform
from nlb_search.models.tensors import Sizes

CROP_SHARE = 0.5
"""The window bins of a crop, as a share of the window."""


def window_bins(input_size: str, sizes: Sizes) -> int:
    """How many window bins a step reads of a trial."""
    return sizes.n_window if input_size == WHOLE else math.ceil(CROP_SHARE * sizes.n_window)


def whole_bins(n_trials: int, sizes: Sizes, device: torch.device) -> Tensor:
    """The bins of trials that are read whole, B x T: window and forward bins, the same for each."""
    return torch.arange(sizes.n_bins, device=device).expand(n_trials, -1)


def draw_bins(n_trials: int, input_size: str, sizes: Sizes, key: Tensor) -> Tensor:
    """The bins that a step reads of each trial, B x T: ``window_bins`` of the window, then the forward bins.

    DT gives every trial's whole window and forward bins. dT draws a crop a trial, around a bin that is drawn evenly,
    and moves it inside the window: every bin is then read by at least a quarter of the crops, where crops that begin
    anywhere evenly would hardly reach the ends.
    """
    if input_size == WHOLE:
        return whole_bins(n_trials, sizes, key.device)
    n_window = window_bins(input_size, sizes)
    centres_B1 = torch.floor(uniform(key, (n_trials, 1)) * sizes.n_window).long()
    starts_B1 = (centres_B1 - n_window // 2).clamp(0, sizes.n_window - n_window)
    return starts_B1 + torch.arange(n_window + sizes.n_forward, device=key.device)
