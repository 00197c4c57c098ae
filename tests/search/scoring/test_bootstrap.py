import numpy as np
import pytest

from nlb_search.search.scoring.bootstrap import differ_significantly, percentile_interval, resampled_co_bps


def _recording(rng: np.random.Generator, n_trials: int) -> tuple[np.ndarray, np.ndarray]:
    """The gain and the spikes of each trial of a recording whose spikes are worth 0.3 bits each, in the long run.

    Trials differ in how much happens in them, and a trial with more spikes has a larger and a wilder gain.
    """
    spikes = rng.poisson(rng.gamma(4, 10, size=n_trials)).astype(float)
    gain = 0.3 * np.log(2) * spikes + rng.normal(size=n_trials) * (5 + 0.2 * spikes)
    return gain, spikes


def test_bootstrap_interval_coverage() -> None:
    """In 200 recordings, 95% +- 1.5% by chance; a percentile range of 80 trials is known to be a little short."""
    rng = np.random.default_rng(0)
    held = [0.3 in percentile_interval(resampled_co_bps(*_recording(rng, 80))) for _ in range(200)]
    assert 0.90 <= np.mean(held) <= 0.985


def test_bootstrap_interval_width_matches_standard_error() -> None:
    """With equal numbers of spikes per trial, co-bps is a mean, and its interval follows from the variance of gains."""
    rng = np.random.default_rng(1)
    gain, spikes = rng.normal(10, 4, size=400), np.full(400, 50.0)
    found = percentile_interval(resampled_co_bps(gain, spikes))
    error = gain.std() / np.sqrt(400) / 50 / np.log(2)
    center = gain.sum() / spikes.sum() / np.log(2)
    assert (found.low - center) / error == pytest.approx(-1.96, abs=0.15)
    assert (found.high - center) / error == pytest.approx(1.96, abs=0.15)


def test_paired_difference_is_significant_despite_overlapping_intervals() -> None:
    gain, spikes = _recording(np.random.default_rng(2), 80)
    one, other = resampled_co_bps(gain, spikes), resampled_co_bps(gain + 0.1, spikes)
    assert percentile_interval(other).low in percentile_interval(one)
    assert differ_significantly(one, other)


def test_difference_within_noise_is_not_significant() -> None:
    rng = np.random.default_rng(3)
    gain, spikes = _recording(rng, 80)
    noise = rng.normal(size=80)
    other = resampled_co_bps(gain + noise - noise.mean() + 0.1 * noise.std() / np.sqrt(80), spikes)
    assert not differ_significantly(resampled_co_bps(gain, spikes), other)


def test_model_does_not_differ_from_itself() -> None:
    co_bps = resampled_co_bps(*_recording(np.random.default_rng(4), 80))
    assert not differ_significantly(co_bps, co_bps.copy())


def test_resamples_do_not_depend_on_other_recordings() -> None:
    """Trials of one study are compared in any order, together with other studies."""
    recording = _recording(np.random.default_rng(5), 80)
    before = resampled_co_bps(*recording)
    resampled_co_bps(*_recording(np.random.default_rng(6), 33))
    np.testing.assert_array_equal(resampled_co_bps(*recording), before)
