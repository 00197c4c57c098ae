"""The findings of an inspection match recordings with known properties."""

from pathlib import Path

import numpy as np
import pytest

from nlb_search.data.inspection import count_sums
from nlb_search.data.inspection.inspection import Inspection, inspection_of
from nlb_search.data.inspection.survey import survey_of
from nlb_search.data.recording import UNSEEN, Recording
from tests.helpers.recordings.built_recording import N_BINS, N_HELDIN, N_NEURONS, N_WINDOW, build, population


def inspect(recording: Recording) -> Inspection:
    return inspection_of(survey_of(recording))


def test_ordinary_population_has_no_findings(tmp_path: Path) -> None:
    found = inspect(build(tmp_path, population(), test_BWI=population()[:30, :N_WINDOW, :N_HELDIN]))
    assert {name: split.n_trials for name, split in found.splits.items()} == {"train": 90, "val": 30, "test": 30}
    assert (found.n_heldin, found.n_heldout, found.n_window_bins, found.n_forward_bins) == (12, 4, 30, 10)
    assert found.coincidences.duplicates == found.coincidences.suspects == ()
    nothing = (found.never_fire, found.silent_in_val, found.silences, found.shared_trials, found.crowded)
    assert nothing == ((), (), (), (), ())
    assert found.synchronous == {}
    assert abs(found.drift.share) < 0.2
    assert found.behavior is found.conditions is None
    assert all(split.unseen == {} and split.silent == () for split in found.splits.values())


def test_rates_and_counts(tmp_path: Path) -> None:
    """Neuron i fires i spikes in the first bin of each trial: i / 0.2 s."""
    counts = np.zeros((8, N_BINS, N_NEURONS), np.uint8)
    counts[:, 0] = np.arange(N_NEURONS)
    found = inspect(build(tmp_path, counts))
    heldin, heldout = (np.array(kind) * 5.0 for kind in (range(N_HELDIN), range(N_HELDIN, N_NEURONS)))
    for rates, expected in ((found.heldin_hz, heldin), (found.heldout_hz, heldout)):
        assert (rates.least, rates.median, rates.most) == pytest.approx(np.percentile(expected, [0, 50, 100]))
        assert (rates.lower, rates.upper) == pytest.approx(np.percentile(expected, [25, 75]))
    assert found.splits["val"].mean_hz == pytest.approx(heldin.mean() * N_BINS / N_WINDOW)
    assert found.largest_count == 15
    assert found.heldout_spikes_in_val == 2 * (12 + 13 + 14 + 15)
    assert found.empty_share == pytest.approx(1 - 15 / (N_BINS * N_NEURONS))
    assert [(one.neuron, one.count) for one in found.crowded] == [(neuron, neuron) for neuron in range(11, 16)]


def test_rates_and_bin_capacity_depend_on_bin_width(tmp_path: Path) -> None:
    counts = population()
    fine, wide = inspect(build(tmp_path, counts)), inspect(build(tmp_path, counts, bin_ms=20))
    assert wide.heldin_hz.median == pytest.approx(fine.heldin_hz.median / 4)
    counts[0, 0, 0] = 15
    assert [one.neuron for one in inspect(build(tmp_path, counts)).crowded] == [0]
    assert inspect(build(tmp_path, counts, bin_ms=20)).crowded == ()


def test_silent_neurons(tmp_path: Path) -> None:
    counts = population()
    counts[..., [3, 13]] = 0
    counts[3::4, :, 14] = 0  # val alone
    found = inspect(build(tmp_path, counts))
    assert found.never_fire == (3, 13)
    assert found.silent_in_val == (14,)
    assert found.is_heldout(13)
    assert not found.is_heldout(3)
    assert found.coincidences.duplicates == (), "two silent neurons are no copies"


def test_neuron_lost_during_recording(tmp_path: Path) -> None:
    counts = population()
    counts[70:, :, 5] = 0
    counts[::2, :, 6] = 0  # tuned: silent in every other trial
    [silence] = inspect(build(tmp_path, counts)).silences
    assert silence.neuron == 5
    assert silence.first_trial + silence.n_trials == 120
    assert 65 < silence.first_trial <= 70


def test_drift_and_differences_between_splits(tmp_path: Path) -> None:
    drifting = population(rate=0.05)
    drifting[60:] = population(60, rate=0.1, seed=1)
    found = inspect(build(tmp_path, drifting))
    assert found.drift.before_hz == pytest.approx(10, rel=0.2)
    assert found.drift.after_hz == pytest.approx(20, rel=0.2)
    assert found.drift.deviations > 5

    louder = population(rate=0.05)
    louder[3::4] = population(30, rate=0.1, seed=1)
    change = inspect(build(tmp_path, louder)).splits["val"].change
    assert change.share == pytest.approx(1, rel=0.1)
    assert change.deviations > 5


def test_unobserved_bins_are_excluded(tmp_path: Path) -> None:
    counts = population()
    seen = inspect(build(tmp_path, counts))
    counts[3::4, :10, N_HELDIN:] = UNSEEN  # held-out neurons of val, a third of the window
    counts[7, :, :] = UNSEEN  # and one of its 30 trials
    found = inspect(build(tmp_path, counts))
    unseen = found.splits["val"].unseen
    assert unseen == pytest.approx(
        {"heldin": 1 / 30, "heldin_forward": 1 / 30, "heldout_forward": 1 / 30, "heldout": (29 / 3 + 1) / 30}
    )
    assert found.splits["train"].unseen == {}
    assert found.splits["val"].silent == (), "what was not recorded is not silent"
    assert found.largest_count == seen.largest_count
    assert found.heldout_hz.median == pytest.approx(seen.heldout_hz.median, rel=0.1)


def test_silent_trials_and_trials_shared_between_splits(tmp_path: Path) -> None:
    counts = population()
    counts[[3, 8]] = 0
    counts[11] = counts[4]
    found = inspect(build(tmp_path, counts))
    assert found.splits["val"].silent == (0,)
    assert found.splits["train"].silent == (6,)
    assert found.shared_trials == (2,)


def test_synchronous_artifacts(tmp_path: Path) -> None:
    counts = population(rate=0.01)
    counts[20, [4, 5], :10] = 1
    counts[41, 7, 2:] = 1
    assert inspect(build(tmp_path, counts)).synchronous == {20: 2, 41: 1}


def test_behavior_and_trial_averages(tmp_path: Path) -> None:
    behavior = np.random.default_rng(0).normal(size=(90, N_WINDOW, 2))
    behavior[:9, :, :] = np.nan
    constant = behavior.copy()
    constant[..., 1] = 3.0
    conditions = np.empty(3, dtype=object)
    conditions[:] = [np.array([0, 1]), np.array([], int), np.array([2])]
    targets = {
        "train_behavior": constant,
        "eval_behavior": behavior[60:],
        "psth": np.zeros((3, N_WINDOW, N_NEURONS)),
        "eval_cond_idx": conditions,
    }
    found = inspect(build(tmp_path, population(), targets=targets))
    assert found.behavior.val_shape == (30, N_WINDOW, 2)
    assert found.behavior.is_series
    assert found.behavior.train_missing == pytest.approx(0.05)
    assert found.behavior.val_missing == 0
    assert found.behavior.constant == (1,)
    assert (found.conditions.n, found.conditions.n_without_val) == (3, 1)


def test_recording_without_forward_bins(tmp_path: Path) -> None:
    found = inspect(build(tmp_path, population(), n_window=N_BINS))
    assert found.n_forward_bins == 0
    assert "test" not in found.splits


def test_trial_order_is_kept_where_known(tmp_path: Path) -> None:
    counts = population()
    order = survey_of(build(tmp_path, counts)).order
    assert order.is_known
    np.testing.assert_array_equal(order.val, np.arange(3, 120, 4))
    np.testing.assert_array_equal(np.sort(np.concatenate([order.train, order.val])), np.arange(120))

    moved = build(tmp_path, counts)
    moved.train_val.counts[:] = np.roll(counts, 1, axis=1)
    order = survey_of(moved).order
    assert not order.is_known
    np.testing.assert_array_equal(order.val, 90 + np.arange(30))


def test_results_do_not_depend_on_chunk_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    counts = population()
    counts[5, 3] = UNSEEN
    at_once = inspect(build(tmp_path, counts))
    monkeypatch.setattr(count_sums, "RUN", 7 * N_BINS * N_NEURONS)
    assert inspect(build(tmp_path, counts)) == at_once
