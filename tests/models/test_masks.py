import math

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from models.masks import dot


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 10**6), st.floats(0.05, 0.95), st.integers(1, 40), st.integers(5, 80), st.integers(1, 60))
def test_dot_hides_the_share_that_was_asked_for(seed: int, ratio: float, trials: int, bins: int, neurons: int) -> None:
    torch.manual_seed(seed)
    hidden = dot(torch.zeros(trials, bins, neurons), ratio)
    entries = trials * bins * neurons
    assert hidden.shape == (trials, bins, neurons)
    assert abs(hidden.sum().item() / entries - ratio) < 6 * math.sqrt(ratio * (1 - ratio) / entries)


def test_dot_entries_are_independent() -> None:
    torch.manual_seed(0)
    hidden = dot(torch.zeros(200, 50, 20), 0.3).float()
    for axis in range(3):
        neighbours = (hidden * hidden.roll(1, dims=axis)).mean().item()
        assert abs(neighbours - 0.09) < 0.005
