"""RoFormer and STNDT: relative positions, decay with distance, and attention over channels."""

import math

import pytest
import torch
from torch.nn import functional
from torch.testing import assert_close

from nlb_search.models.blocks import BLOCKS, Block
from nlb_search.models.blocks.bases.relative_attention import RelativeAttention, rotate
from nlb_search.models.blocks.stndt import ChannelAttention
from nlb_search.models.hyperparameters import Hyperparameters
from nlb_search.models.tensors import Sizes

SIZES = Sizes(n_heldin=6, n_heldout=3, n_window=20, n_forward=5)
WIDTH = 12
BINS_BT = torch.arange(SIZES.n_bins).expand(2, -1)

both = pytest.mark.parametrize("name", ["RoFormer", "STNDT"])


def _block(name: str, width: int = WIDTH) -> Block:
    torch.manual_seed(0)
    return BLOCKS[name](width, SIZES, Hyperparameters(), 2).eval()


@both
@pytest.mark.parametrize("width", [1, 7, 130, 131])
def test_any_width_is_supported(name: str, width: int) -> None:
    x_BTC = torch.randn(2, SIZES.n_bins, width)
    assert _block(name, width)(x_BTC, BINS_BT).shape == x_BTC.shape


def test_scores_depend_on_the_distance_of_bins_alone() -> None:
    block, x_BTC = _block("RoFormer"), torch.randn(2, SIZES.n_bins, WIDTH)
    assert_close(block(x_BTC, BINS_BT + 100), block(x_BTC, BINS_BT), atol=1e-4, rtol=1e-4)
    assert (block(x_BTC, 2 * BINS_BT) - block(x_BTC, BINS_BT)).abs().max() > 0.1


def test_earlier_and_later_bins_are_distinguished() -> None:
    block, x_BTC = _block("RoFormer"), torch.randn(2, SIZES.n_bins, WIDTH)
    assert (block(x_BTC, BINS_BT) - block(x_BTC, -BINS_BT)).abs().max() > 0.1


def test_rotation_of_one_pair_against_cosine_of_the_distance() -> None:
    unit_BATC = torch.tensor([1.0, 0.0]).expand(1, 1, SIZES.n_bins, 2)
    rotated_TC = rotate(unit_BATC, BINS_BT[:1], torch.tensor([3.0]))[0, 0]
    bins_T = torch.arange(SIZES.n_bins)
    assert_close(rotated_TC @ rotated_TC.T, torch.cos((bins_T[:, None] - bins_T) / 3.0))


def test_without_queries_a_head_averages_with_weights_that_decay_with_distance() -> None:
    attend = RelativeAttention(1)
    with torch.no_grad():
        attend.project.weight.copy_(torch.tensor([[0.0], [0.0], [1.0]]))
        attend.join.weight.fill_(1.0)
        attend.log_decay_A.fill_(-math.log(4.0))
    x_BTC = torch.randn(1, SIZES.n_bins, 1)
    bins_T = torch.arange(SIZES.n_bins)
    weights_TT = torch.exp(-(bins_T[:, None] - bins_T).abs() / 4.0)
    expected_TC = weights_TT / weights_TT.sum(dim=1, keepdim=True) @ x_BTC[0]
    assert_close(attend(x_BTC, BINS_BT[:1])[0], expected_TC)


def test_channel_attention_against_torch_attention_over_channels() -> None:
    torch.manual_seed(0)
    attend, x_BTC = ChannelAttention(WIDTH, SIZES.n_bins), torch.randn(2, SIZES.n_bins, WIDTH)
    queries_BCF, keys_BCF = (x_BTC.transpose(1, 2) @ attend.project_TF).chunk(2, dim=-1)
    values_BCT = attend.value(x_BTC).transpose(1, 2)
    expected_BCT = functional.scaled_dot_product_attention(queries_BCF, keys_BCF, values_BCT)
    assert_close(attend(x_BTC, BINS_BT), expected_BCT.transpose(1, 2), atol=1e-5, rtol=1e-4)


def test_channel_attention_of_a_crop_equals_that_of_a_trial_without_the_other_bins() -> None:
    torch.manual_seed(0)
    attend, x_BTC = ChannelAttention(WIDTH, SIZES.n_bins), torch.randn(2, SIZES.n_bins, WIDTH)
    attend.value.bias.data.zero_()
    crop = slice(10, 18)
    alone_BTC = torch.zeros_like(x_BTC)
    alone_BTC[:, crop] = x_BTC[:, crop]
    assert_close(attend(x_BTC[:, crop], BINS_BT[:, crop]), attend(alone_BTC, BINS_BT)[:, crop], atol=1e-5, rtol=1e-4)
