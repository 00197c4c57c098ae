"""Detection of duplicate neurons and crosstalk; shared rate modulation is not crosstalk."""

import numpy as np
import pytest

from nlb_search.data.inspection.coincidences import coincidences
from tests.helpers.recordings.built_recording import population

RNG = np.random.default_rng(1)


def test_duplicates_are_found_and_near_duplicates_are_suspects() -> None:
    counts = population(rate=0.1)
    counts[..., 14] = counts[..., 2]
    counts[..., 7] = counts[..., 6]
    counts[5, 5, 7] += 1
    found = coincidences(counts, 5)
    assert found.duplicates == ((2, 14),)
    [suspect] = found.suspects
    assert (suspect.first, suspect.second) == (6, 7)
    assert suspect.share == pytest.approx(0.9, abs=0.05)  # all spikes, minus the tenth that is expected by chance


@pytest.mark.parametrize("leak", [0.1, 0.4])
def test_crosstalk_is_a_fraction_of_the_sparser_neurons_spikes(leak: float) -> None:
    counts = population(n_trials=400, rate=0.02)
    counts[..., 1] = RNG.poisson(0.2, counts.shape[:2])
    leaked = (RNG.random(counts.shape[:2]) < leak) & (counts[..., 0] > 0)
    counts[..., 1][leaked] += 1
    suspects = coincidences(counts, 5).suspects
    if leak < 0.25:
        assert suspects == ()
    else:
        [suspect] = suspects
        assert (suspect.first, suspect.second) == (0, 1)
        assert suspect.share == pytest.approx(leak * np.exp(-0.2), abs=0.06)


def test_shared_rate_modulation_is_not_crosstalk() -> None:
    """Strongly modulated together, within 100 ms: their counts correlate, and the shift predictor knows why."""
    times = np.arange(160) * 5
    phases = RNG.uniform(0, 2 * np.pi, (300, 1))
    rates_BT = 0.5 * (1 + np.sin(2 * np.pi * times / 200 + phases)) ** 2
    counts = RNG.poisson(rates_BT[..., None], (300, 160, 6)).astype(np.uint8)
    assert np.corrcoef(counts.reshape(-1, 6).T)[0, 1] > 0.25
    assert coincidences(counts, 5).suspects == ()


def test_few_shared_spikes_are_not_crosstalk() -> None:
    counts = population(rate=0.1)
    counts[..., 0] = 0
    counts[:5, 3, :2] = 1
    assert coincidences(counts, 5).suspects == ()


def test_wide_bins_detect_duplicates_only() -> None:
    counts = population(rate=0.3)
    counts[..., 14] = counts[..., 2]
    found = coincidences(counts, 50)
    assert found.suspects is None
    assert found.duplicates == ((2, 14),)


def test_recordings_with_one_bin_or_one_neuron() -> None:
    assert coincidences(population()[:, :1], 5).duplicates == ()
    assert coincidences(population()[..., :1], 5).suspects == ()
