"""Every mask has the requested ratio and shape, uniformly over bins and neurons."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from nlb_search.models.masking.masks import MAX_SPAN, RAMP_END, RAMP_START, STRIP_BINS, hide, probabilities_of
from nlb_search.models.masking.variant_names import PUBLISHED_VARIANTS, SHAPES, shapes_of
from nlb_search.models.random_draws import key_of

VARIANTS = [*SHAPES, *PUBLISHED_VARIANTS]


def _hidden(
    variant: str, ratio: float, *, trials: int = 4000, bins: int = 24, neurons: int = 6, seed: int = 0, done: int = 0
) -> Tensor:
    probabilities = {
        part: torch.tensor(probability) for part, probability in probabilities_of(variant, ratio).items() if probability
    }
    cpu = torch.device("cpu")
    return hide((trials, bins, neurons), probabilities, key_of(seed, cpu), torch.tensor(done, dtype=torch.float64))


@settings(max_examples=60)
@given(
    variant=st.sampled_from(VARIANTS),
    ratio=st.floats(0.02, 0.95),
    bins=st.integers(1, 60),
    neurons=st.integers(1, 30),
    seed=st.integers(0, 2**31),
    done=st.integers(0, 2 * RAMP_END),
)
def test_masked_fraction_equals_ratio_within_sampling_error(
    variant: str, ratio: float, bins: int, neurons: int, seed: int, done: int
) -> None:
    trials = 400
    hidden = _hidden(variant, ratio, trials=trials, bins=bins, neurons=neurons, seed=seed, done=done)
    share_B = hidden.float().mean(dim=(1, 2))
    # Trials are drawn independently, and the fraction of a trial lies in [0, 1], whatever its shapes have in common:
    # Hoeffding's bound, with a probability of 1e-9 per example.
    assert abs(share_B.mean().item() - ratio) < math.sqrt(math.log(2e9) / (2 * trials))


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("ratio", [0.1, 0.27, 0.6])
def test_bins_and_neurons_are_masked_uniformly(variant: str, ratio: float) -> None:
    hidden = _hidden(variant, ratio, done=RAMP_END).float()
    by_neuron = hidden.mean(dim=(0, 1))
    assert (by_neuron - ratio).abs().max() < 0.03
    if "L" not in variant.split():
        by_bin = hidden.mean(dim=(0, 2))
        assert (by_bin - ratio).abs().max() < 0.03


def test_dots_are_independent() -> None:
    hidden = _hidden("dot", 0.3).float()
    for axis in range(3):
        neighbours = (hidden * hidden.roll(1, dims=axis)).mean().item()
        assert abs(neighbours - 0.09) < 0.005


def test_strips_are_runs_within_a_neuron() -> None:
    """Few strips rarely touch, so runs inside the window have the length of a strip."""
    hidden = _hidden("strip", 0.02, bins=60)
    padded = torch.nn.functional.pad(hidden.int(), (0, 0, 1, 1))
    edges = padded.diff(dim=1)
    begins, ends = (edges == 1).transpose(1, 2).nonzero(), (edges == -1).transpose(1, 2).nonzero()
    inside = (begins[:, 2] > 0) & (ends[:, 2] < 60)
    lengths = (ends[:, 2] - begins[:, 2])[inside]
    assert lengths.min() == STRIP_BINS
    assert (lengths == STRIP_BINS).float().mean() > 0.95
    neighbours = hidden[:, :, 1:][hidden[:, :, :-1]].float().mean().item()
    assert neighbours == pytest.approx(0.02, abs=0.01)


def test_line_masks_all_bins_of_a_neuron() -> None:
    share = _hidden("line", 0.4).float().mean(dim=1)
    assert set(share.unique().tolist()) == {0.0, 1.0}


def test_l_masks_whole_neurons_and_the_last_bins() -> None:
    hidden = _hidden("L", 0.4, neurons=12)
    rows = hidden.all(dim=1, keepdim=True)
    bins = hidden.all(dim=2, keepdim=True) & ~rows.all(dim=2, keepdim=True)
    assert (hidden == (rows | bins))[~rows.all(dim=2).squeeze(1)].all()
    assert (bins[:, 1:] >= bins[:, :-1]).all()  # all bins after the first masked one
    assert bins.any(dim=1).float().mean() > 0.9


def _spans(done: int) -> Tensor:
    """Lengths of the runs of hidden bins inside the window, with few spans, so that they rarely touch."""
    hidden_BW = _hidden("span", 0.02, bins=60, neurons=2, done=done)[:, :, 0].int()
    edges_BX = torch.nn.functional.pad(hidden_BW, (1, 1)).diff(dim=1)
    begins, ends = (edges_BX == 1).nonzero()[:, 1], (edges_BX == -1).nonzero()[:, 1]
    return (ends - begins)[(begins > 0) & (ends < 60)]


def test_span_masks_bins_of_all_neurons() -> None:
    share_BW = _hidden("span", 0.4, done=RAMP_END).float().mean(dim=2)
    assert set(share_BW.unique().tolist()) == {0.0, 1.0}


@pytest.mark.parametrize("done", [0, RAMP_START])
def test_spans_are_single_bins_before_the_ramp(done: int) -> None:
    assert (_spans(done) == 1).float().mean() > 0.95


def test_spans_of_all_lengths_are_equally_frequent_in_trials_after_the_ramp() -> None:
    """In a trial with spans of n bins, their number is proportional to 1 / n, so that the same fraction is hidden."""
    lengths = _spans(RAMP_END)
    shares = torch.bincount(lengths, minlength=MAX_SPAN + 1)[1 : MAX_SPAN + 1] / len(lengths)
    expected = torch.tensor([1 / length for length in range(1, MAX_SPAN + 1)])
    assert (shares - expected / expected.sum()).abs().max() < 0.03


def test_spans_become_longer_during_the_ramp() -> None:
    means = [_spans(done).float().mean().item() for done in (RAMP_START, (RAMP_START + RAMP_END) // 2, RAMP_END)]
    assert means == sorted(means)
    assert means[0] + 0.2 < means[1] < means[2] - 0.2


def test_shapes_of_a_variant_share_the_ratio_equally() -> None:
    """In 'dot line', as many entries are hidden by dots alone as by lines alone."""
    hidden = _hidden("dot line", 0.36, bins=80)
    rows = hidden.float().mean(dim=1)
    lines = (rows > 0.95).float().mean().item()
    dots = rows[rows < 0.95].mean().item()
    assert lines == pytest.approx(0.2, abs=0.01)
    assert dots == pytest.approx(0.2, abs=0.01)


@pytest.mark.parametrize("text", ["", "dots", "dot dot", "dot, line", "dot line wedge"])
def test_unknown_variant_is_rejected(text: str) -> None:
    with pytest.raises(ValueError, match="is not a mask variant: write one or more of dot, strip, line, L, span"):
        shapes_of(text)


def test_mask_depends_on_the_seed_only() -> None:
    first, again, other = (_hidden("dot strip L", 0.3, trials=8, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
