"""Intervals between spikes, counted on spike times with known intervals."""

import numpy as np
import pytest

from nlb_search.data.inspection.spike_intervals import unit_intervals


def test_intervals_under_one_millisecond() -> None:
    """Of 7 intervals, one is 0, two are under 1 ms, and one is 1 ms up to rounding, which is not short."""
    times = 3600 + np.array([0.0, 0.0, 0.0005, 0.1, 0.1009, 0.2, 0.201, 0.5])
    found = unit_intervals(7, np.random.default_rng(0).permutation(times))
    assert (found.unit, found.n_spikes, found.repeated) == (7, 8, 1)
    assert found.short == pytest.approx(2 / 7)


@pytest.mark.parametrize("times", [[], [1.5]])
def test_units_with_no_interval(times: list[float]) -> None:
    found = unit_intervals(0, np.array(times))
    assert (found.n_spikes, found.short, found.repeated) == (len(times), 0, 0)
