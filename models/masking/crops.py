"""Input sizes: a training step reads whole trials (DT) or shorter crops of them (dT).

The published search uses the names DT and dT without defining them; this is our interpretation. A crop is a shorter
version of the benchmark's task: some bins of the window to read, followed by all of the recording's forward bins.
"""

import math

import torch
from torch import Tensor

from nlb_search.models.masking.variant_names import WHOLE
from nlb_search.models.random_draws import uniform
from nlb_search.models.tensors import Sizes

CROP_SHARE = 0.5
"""The length of a crop, as a fraction of the window."""


def window_bins(input_size: str, sizes: Sizes) -> int:
    """Number of window bins that a step reads of each trial."""
    return sizes.n_window if input_size == WHOLE else math.ceil(CROP_SHARE * sizes.n_window)


def whole_bins(n_trials: int, sizes: Sizes, device: torch.device) -> Tensor:
    """Bin indices for whole trials, B x T: window and forward bins, the same for every trial."""
    return torch.arange(sizes.n_bins, device=device).expand(n_trials, -1)


def draw_bins(n_trials: int, input_size: str, sizes: Sizes, key: Tensor) -> Tensor:
    """Bin indices that a step reads of each trial, B x T: ``window_bins`` of the window, then the forward bins.

    DT returns the whole window and the forward bins of every trial. dT draws one crop per trial: it draws the center
    uniformly over the window and then shifts the crop to lie inside the window. So every bin is in at
    least a quarter of the crops; with uniform starts, the first and the last bin would be in almost none.
    """
    if input_size == WHOLE:
        return whole_bins(n_trials, sizes, key.device)
    n_window = window_bins(input_size, sizes)
    centres_B1 = torch.floor(uniform(key, (n_trials, 1)) * sizes.n_window).long()
    starts_B1 = (centres_B1 - n_window // 2).clamp(0, sizes.n_window - n_window)
    return starts_B1 + torch.arange(n_window + sizes.n_forward, device=key.device)
