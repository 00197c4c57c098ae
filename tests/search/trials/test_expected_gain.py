from itertools import combinations

import numpy as np
import pytest

from nlb_search.search.trials.expected_gain import LEAST_TRIALS, expected_gain


def test_the_expected_gain_of_exponential_scores_is_the_true_one():
    rng = np.random.default_rng(0)
    n_trials, scale = 40, 0.01
    scores = 0.3 + scale * rng.exponential(size=(3000, 2 * n_trials))
    predicted = [expected_gain(list(trials[:n_trials])) for trials in scores]
    gained = scores.max(axis=1) - scores[:, :n_trials].max(axis=1)
    assert np.mean(predicted) == pytest.approx(gained.mean(), rel=0.05)


@pytest.mark.parametrize("n_trials", [LEAST_TRIALS, LEAST_TRIALS + 1])
def test_the_expected_gain_is_that_of_all_trials_over_every_half(n_trials: int):
    scores = np.random.default_rng(1).normal(size=n_trials).tolist()
    best_of_halves = [max(half) for half in combinations(scores, n_trials // 2)]
    assert expected_gain(scores) == pytest.approx(max(scores) - np.mean(best_of_halves))


def test_trials_that_are_all_alike_are_expected_to_gain_nothing():
    assert expected_gain([0.2] * LEAST_TRIALS) == 0


def test_low_scores_such_as_those_of_pruned_trials_hardly_change_the_expected_gain():
    good = [0.30 + 0.001 * rank for rank in range(8)]
    assert expected_gain([*good, *[0.0] * 12]) == pytest.approx(expected_gain([*good, *[0.2] * 12]), abs=1e-4)


def test_a_few_trials_are_not_enough_for_an_expectation():
    assert expected_gain([0.1] * (LEAST_TRIALS - 1)) is None
    assert expected_gain([0.1] * LEAST_TRIALS) is not None
