"""Neurons of which all counts are multiples of one number."""

import numpy as np

from nlb_search.data.inspection import count_sums
from nlb_search.data.inspection.count_values import MIN_BINS, Multiple, multiples
from nlb_search.data.recording import UNSEEN
from tests.helpers.recordings.built_recording import population


def test_multiples_in_all_parts(monkeypatch) -> None:
    """Values are compared over all parts and chunks; bins that were not seen do not count."""
    monkeypatch.setattr(count_sums, "RUN", 1000)
    train, val = population(seed=1), population(30, seed=2)
    for counts in (train, val):
        counts[..., 3] *= 5
        counts[..., 7] *= 4
    val[0, 0, 7] = 6  # gcd of 4 and 6
    train[0, :, 3] = UNSEEN
    train[..., 9] *= 2
    val[5, 5, 9] = 1
    assert multiples([train, val]) == (Multiple(3, 5), Multiple(7, 2))


def test_few_counts_are_no_evidence() -> None:
    counts = np.zeros((40, 10, 2), np.uint8)
    counts[: MIN_BINS - 1, 0, 0] = 2
    counts[:MIN_BINS, 0, 1] = 2
    assert multiples([counts]) == (Multiple(1, 2),)
