import numpy as np
import pytest

from nlb_search.search.study.expected_gain import LEAST_TRIALS, expected_gain


def test_the_expected_gain_of_exponential_scores_is_the_true_one():
    rng = np.random.default_rng(0)
    n_trials, more, scale = 40, 40, 0.01
    scores = 0.3 + scale * rng.exponential(size=(3000, n_trials + more))
    predicted = [expected_gain(list(trials[:n_trials]), more) for trials in scores]
    gained = scores.max(axis=1) - scores[:, :n_trials].max(axis=1)
    assert np.mean(predicted) == pytest.approx(gained.mean(), rel=0.05)


def test_trials_that_are_all_alike_are_expected_to_gain_nothing():
    assert expected_gain([0.2] * LEAST_TRIALS, 100) == 0


def test_the_expected_gain_does_not_depend_on_the_low_scores():
    good = [0.30 + 0.001 * rank for rank in range(8)]
    assert expected_gain([*good, *[-5.0] * 12], 10) == pytest.approx(expected_gain([*good, *[0.1] * 12], 10))


def test_a_few_trials_are_not_enough_for_an_expectation():
    assert expected_gain([0.1] * (LEAST_TRIALS - 1), 10) is None
    assert expected_gain([0.1] * LEAST_TRIALS, 10) is not None
