"""Conv, Conv(smooth) and Deconv: receptive fields and initialization."""

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter1d
from torch import Tensor

from nlb_search.models.blocks import BLOCKS, Block
from nlb_search.models.blocks.smooth_conv import KERNEL_BINS, KERNEL_SD_BINS
from nlb_search.models.hyperparameters import Hyperparameters
from nlb_search.models.tensors import Sizes

SIZES = Sizes(n_heldin=6, n_heldout=3, n_window=40, n_forward=10)
WIDTH = 7


def _block(name: str) -> Block:
    torch.manual_seed(0)
    return BLOCKS[name](WIDTH, SIZES, Hyperparameters(), 1).eval()


@torch.no_grad()
def _output(block: Block, x_BTC: Tensor) -> Tensor:
    output_BTC: Tensor = block(x_BTC, torch.arange(x_BTC.shape[1]).expand(len(x_BTC), -1))
    return output_BTC


@pytest.mark.parametrize(("name", "width"), [("Conv", WIDTH), ("Conv(smooth)", WIDTH), ("Deconv", SIZES.n_neurons)])
@pytest.mark.parametrize("n_bins", [1, 4, 50])
def test_output_shape(name: str, width: int, n_bins: int) -> None:
    block = _block(name)
    assert block.width == width
    assert _output(block, torch.randn(2, n_bins, WIDTH)).shape == (2, n_bins, width)


@pytest.mark.parametrize(("name", "reach"), [("Conv", 2), ("Deconv", 2), ("Conv(smooth)", 10)])
@pytest.mark.parametrize("changed", [0, 23, 49])
def test_receptive_field(name: str, reach: int, changed: int) -> None:
    block = _block(name)
    x_BTC = torch.randn(1, SIZES.n_bins, WIDTH)
    other_BTC = x_BTC.clone()
    other_BTC[:, changed] += 1
    moved_T = (_output(block, x_BTC) != _output(block, other_BTC)).any(dim=2)[0]
    near = {bin_ for bin_ in range(SIZES.n_bins) if abs(bin_ - changed) <= reach}
    assert set(moved_T.nonzero().flatten().tolist()) == near


def test_smoother_is_initialized_as_gaussian() -> None:
    spikes_BTC = torch.poisson(torch.full((3, SIZES.n_bins, WIDTH), 0.3))
    smooth = gaussian_filter1d(
        spikes_BTC.double().numpy(), KERNEL_SD_BINS, axis=1, mode="constant", radius=KERNEL_BINS // 2
    )
    np.testing.assert_allclose(_output(_block("Conv(smooth)"), spikes_BTC).numpy(), smooth, atol=1e-6)
