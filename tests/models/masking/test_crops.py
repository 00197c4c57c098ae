"""DT reads whole trials, and dT reads random crops."""

import math

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from nlb_search.models.masking.crops import draw_bins, window_bins
from nlb_search.models.random_draws import key_of
from nlb_search.models.tensors import Sizes

RECORDINGS = st.builds(
    Sizes,
    n_heldin=st.just(4),
    n_heldout=st.just(2),
    n_window=st.integers(1, 80),
    n_forward=st.integers(0, 40),
)


def _key(seed: int) -> Tensor:
    return key_of(seed, torch.device("cpu"))


@given(sizes=RECORDINGS, trials=st.integers(1, 9))
def test_dt_reads_all_bins(sizes: Sizes, trials: int) -> None:
    bins_BT = draw_bins(trials, "DT", sizes, _key(0))
    assert window_bins("DT", sizes) == sizes.n_window
    assert bins_BT.tolist() == [list(range(sizes.n_bins))] * trials


@given(sizes=RECORDINGS, seed=st.integers(0, 2**31))
def test_crop_is_half_the_window_and_the_forward_bins(sizes: Sizes, seed: int) -> None:
    n_window = window_bins("dT", sizes)
    assert n_window == math.ceil(sizes.n_window / 2)
    for first, *others in draw_bins(50, "dT", sizes, _key(seed)).tolist():
        assert [first, *others] == list(range(first, first + n_window + sizes.n_forward))
        assert 0 <= first <= sizes.n_window - n_window


@settings(max_examples=40)
@given(sizes=RECORDINGS, seed=st.integers(0, 2**31))
def test_every_bin_is_in_at_least_a_quarter_of_the_crops(sizes: Sizes, seed: int) -> None:
    n_crops = 4000
    read = draw_bins(n_crops, "dT", sizes, _key(seed))[:, : window_bins("dT", sizes)]
    share_W = torch.bincount(read.flatten(), minlength=sizes.n_window) / n_crops
    # Crops are drawn independently: Hoeffding's bound, with a probability of 1e-9 per bin.
    assert share_W.min() > 0.25 - math.sqrt(math.log(1e9) / (2 * n_crops))


def test_every_crop_position_is_drawn() -> None:
    sizes = Sizes(n_heldin=4, n_heldout=2, n_window=20, n_forward=5)
    assert set(draw_bins(2000, "dT", sizes, _key(0))[:, 0].tolist()) == set(range(11))


def test_crops_depend_on_the_seed_only() -> None:
    def drawn(seed: int) -> list[list[int]]:
        return draw_bins(30, "dT", Sizes(n_heldin=4, n_heldout=2, n_window=20, n_forward=5), _key(seed)).tolist()

    assert drawn(1) == drawn(1)
    assert drawn(1) != drawn(2)
