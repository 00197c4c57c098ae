"""The overestimation of the best trial by the val trials that selected it, on data whose true scores are known."""

import math

import numpy as np

from nlb_search.search.scoring.selection_bias import selection_bias

N_TRIALS, N_VAL, SPIKES = 20, 30, 50.0
TRUE = 0.2


def _gains(seed: int, sd: float) -> np.ndarray:
    """Gains of trials that all have the same true score; they differ by the luck of the val trials."""
    noise = np.random.default_rng(seed).normal(0, sd, (N_TRIALS, N_VAL))
    return SPIKES * math.log(2) * (TRUE + noise)


def test_score_on_left_out_trials_is_the_true_score_of_the_selected_trial() -> None:
    on_val, on_left_out, selected = [], [], []
    for seed in range(40):
        gain_KB = _gains(seed, sd=0.1)
        bias = selection_bias(gain_KB, np.full(N_VAL, SPIKES))
        on_val.append(gain_KB.mean(axis=1).max() / SPIKES / math.log(2))
        on_left_out.append(bias.left_out[-1])
        selected.append(bias.selected[-1])
    overestimated = np.mean(on_val) - TRUE
    assert overestimated > 0.03
    assert np.mean(selected) > np.mean(on_val)
    assert abs(np.mean(on_left_out) - TRUE) < 0.2 * overestimated


def test_one_trial_is_not_overestimated_and_more_trials_are_more() -> None:
    bias = selection_bias(_gains(0, sd=0.1), np.full(N_VAL, SPIKES))
    difference = bias.selected - bias.left_out
    assert abs(difference[0]) < 0.01
    assert difference[-1] > difference[4] > 0.01
    assert np.all(np.diff(bias.selected) >= 0)


def test_a_trial_that_is_always_the_best_is_not_overestimated() -> None:
    gain_KB = _gains(0, sd=0.01)
    gain_KB[7] += SPIKES
    bias = selection_bias(gain_KB, np.full(N_VAL, SPIKES))
    assert abs(bias.selected[-1] - bias.left_out[-1]) < 0.002
