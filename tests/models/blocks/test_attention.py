"""RoBERTa and Trans: number of attention heads, and positions of bins."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.testing import assert_close

from nlb_search.models.blocks import BLOCKS
from nlb_search.models.blocks.bases.attention import AbsoluteAttention
from nlb_search.models.blocks.bases.encoder_layer import MAX_HEADS, heads_for
from nlb_search.models.hyperparameters import Hyperparameters
from nlb_search.models.tensors import Sizes

SIZES = Sizes(n_heldin=6, n_heldout=3, n_window=20, n_forward=5)
WIDTH = 12

both = pytest.mark.parametrize("name", ["RoBERTa", "Trans"])


def _block(name: str) -> AbsoluteAttention:
    """A block whose positional embeddings are as large as its inputs."""
    torch.manual_seed(0)
    block = BLOCKS[name](WIDTH, SIZES, Hyperparameters(), 2).eval()
    assert isinstance(block, AbsoluteAttention)
    torch.nn.init.normal_(block.position_TC)
    return block


@torch.no_grad()
def _output(block: AbsoluteAttention, x_TC: Tensor, bins_T: Tensor) -> Tensor:
    output_BTC: Tensor = block(x_TC.unsqueeze(0), bins_T.unsqueeze(0))
    return output_BTC[0]


def _of_torch(block: AbsoluteAttention) -> nn.TransformerEncoder:
    """Torch's encoder with the same weights."""
    layer = nn.TransformerEncoderLayer(
        WIDTH, heads_for(WIDTH), 2 * WIDTH, activation="gelu", batch_first=True, norm_first=block.norm_first
    )
    encoder = nn.TransformerEncoder(layer, len(block.layers), enable_nested_tensor=False)
    names = (
        ("attend.project.", "self_attn.in_proj_"),
        ("attend.join.", "self_attn.out_proj."),
        ("widen.", "linear1."),
        ("narrow.", "linear2."),
        ("attend_norm.", "norm1."),
        ("feed_norm.", "norm2."),
    )
    weights = {}
    for name, weight in block.layers.named_parameters():
        ours, theirs = next((ours, theirs) for ours, theirs in names if ours in name)
        weights[name.replace(ours, theirs)] = weight
    encoder.layers.load_state_dict(weights)
    return encoder.eval()


@given(st.integers(1, 200))
def test_number_of_heads_divides_width(width: int) -> None:
    heads = heads_for(width)
    assert 1 <= heads <= MAX_HEADS
    assert width % heads == 0
    assert all(width % more for more in range(heads + 1, MAX_HEADS + 1))


@both
@pytest.mark.parametrize("width", [1, 130, 131])
def test_any_width_is_supported(name: str, width: int) -> None:
    block = BLOCKS[name](width, SIZES, Hyperparameters(), 1).eval()
    assert block(torch.randn(2, SIZES.n_bins, width), torch.arange(SIZES.n_bins).expand(2, -1)).shape[2] == width


@both
def test_equivariance_to_permuted_bins_with_positions(name: str) -> None:
    block, x_TC = _block(name), torch.randn(SIZES.n_bins, WIDTH)
    bins_T, order_T = torch.arange(SIZES.n_bins), torch.randperm(SIZES.n_bins)
    in_order_TC = _output(block, x_TC, bins_T)[order_T]
    assert_close(_output(block, x_TC[order_T], bins_T[order_T]), in_order_TC, atol=1e-5, rtol=1e-4)
    assert (_output(block, x_TC[order_T], bins_T) - in_order_TC).abs().max() > 0.1


@both
def test_equals_torch_encoder_with_positions(name: str) -> None:
    block, x_TC = _block(name), torch.randn(SIZES.n_bins, WIDTH)
    with torch.no_grad():
        expected_BTC = _of_torch(block)((x_TC + block.position_TC).unsqueeze(0))
    assert_close(_output(block, x_TC, torch.arange(SIZES.n_bins)), expected_BTC[0], atol=1e-5, rtol=1e-4)


@both
def test_crop_equals_window_masked_to_the_crop(name: str) -> None:
    block, x_TC = _block(name), torch.randn(SIZES.n_bins, WIDTH)
    crop = slice(10, 18)
    cut_TT = torch.ones(SIZES.n_bins, SIZES.n_bins, dtype=torch.bool).fill_diagonal_(False)
    cut_TT[crop, crop] = False
    with torch.no_grad():
        whole_BTC = _of_torch(block)((x_TC + block.position_TC).unsqueeze(0), mask=cut_TT)
    assert_close(_output(block, x_TC[crop], torch.arange(10, 18)), whole_BTC[0, crop], atol=1e-5, rtol=1e-4)
