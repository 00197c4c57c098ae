"""Few-shot co-bps of rates whose truth is known."""

import numpy as np
import pytest
import torch

from nlb_search.models.scoring.bits_per_spike import bits_per_spike
from nlb_search.search.scoring.few_shot import Readout, few_shot_co_bps

N_TRIALS, N_BINS, N_HELDIN, N_HELDOUT = 160, 20, 12, 3


def _readout(extraneous: float = 0.0) -> tuple[Readout, float]:
    """A population with two latents, and the co-bps of its true rates on the last 40 trials.

    Held-in log-rates have ``extraneous`` standard deviations of noise, which tells nothing about the held-out neurons.
    """
    rng = np.random.default_rng(0)
    latents = np.cumsum(rng.normal(0, 0.4, (N_TRIALS, N_BINS, 2)), axis=1)
    log_rates = latents @ rng.normal(0, 0.5, (2, N_HELDIN + N_HELDOUT)) - 1
    heldin, heldout = np.split(log_rates, [N_HELDIN], axis=2)
    heldin = heldin + extraneous * rng.normal(size=heldin.shape)
    spikes = rng.poisson(np.exp(heldout)).astype(float)
    truth = bits_per_spike(torch.from_numpy(np.exp(heldout[120:])), torch.from_numpy(spikes[120:])).item()
    return Readout(np.exp(heldin[:120]), spikes[:120], np.exp(heldin[120:]), spikes[120:]), truth


def test_a_readout_of_true_rates_approaches_their_score() -> None:
    readout, truth = _readout()
    few, more, most = few_shot_co_bps(readout)
    assert (few.trials, more.trials, most.trials) == (10, 30, 100)
    assert few.mean < more.mean < most.mean == pytest.approx(truth, abs=0.01)
    assert few.sd > most.sd


def test_extraneous_rates_cost_most_with_few_trials() -> None:
    (clean, _), (noisy, _) = _readout(), _readout(extraneous=1.0)
    lost = [one.mean - other.mean for one, other in zip(few_shot_co_bps(clean), few_shot_co_bps(noisy), strict=True)]
    assert lost[0] > lost[2] > 0.01


def test_only_numbers_of_trials_that_there_are() -> None:
    readout, _ = _readout()
    short = Readout(readout.train_rates[:40], readout.train_spikes[:40], readout.eval_rates, readout.eval_spikes)
    assert [one.trials for one in few_shot_co_bps(short)] == [10, 30]


def test_unknown_counts_and_silent_neurons_are_allowed() -> None:
    readout, _ = _readout()
    readout.train_spikes[:, 15:] = np.nan
    readout.train_spikes[:, :, 0] = 0
    readout.eval_spikes[:, 15:] = np.nan
    [few] = few_shot_co_bps(readout, numbers=(10,))
    assert np.isfinite(few.mean)
