"""Few-shot co-smoothing: how well held-out neurons are predicted by a readout that is fitted on few trials.

A model can reach a high co-bps with rates that contain more than the held-out neurons need; a readout then needs many
trials to ignore it (Dabholkar & Barak 2025, https://arxiv.org/abs/2405.14425). As there, the readout is a Poisson
regression; it reads the logarithm of the model's rates for the held-in neurons, because a submission has no latents.
"""

import warnings
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch

from nlb_search.models.scoring.bits_per_spike import MIN_RATE, bits_per_spike
from nlb_search.search.scoring.targets import Array

TRIALS = (10, 30, 100)
"""Numbers of trials that the readout is fitted on."""

DRAWS = 5
"""Number of random draws of the trials."""

PENALTY = 0.01
"""Weight of the squared coefficients, for log-rates with unit variance and the mean deviance over bins."""

SEED = 0


@dataclass(frozen=True)
class Readout:
    """What the readout is fitted on, and what it predicts, all trials x bins of the window x neurons.

    Rates are those of the held-in neurons, spikes those of the held-out neurons, in spikes per bin. Spikes are NaN
    where they are unknown.
    """

    train_rates: Array
    train_spikes: Array
    eval_rates: Array
    eval_spikes: Array


@dataclass(frozen=True)
class FewShot:
    """co-bps of readouts that are fitted on ``trials`` random trials: mean and standard deviation over draws."""

    trials: int
    mean: float
    sd: float


def few_shot_co_bps(readout: Readout, numbers: Iterable[int] = TRIALS) -> list[FewShot]:
    """The scores for each number of trials that is not larger than that of the training trials."""
    return [_few_shot(readout, number) for number in numbers if number <= len(readout.train_rates)]


def _few_shot(readout: Readout, n_trials: int) -> FewShot:
    rng = np.random.default_rng(SEED)
    draws = [rng.choice(len(readout.train_rates), n_trials, replace=False) for _ in range(DRAWS)]
    scores = [_co_bps(readout, trials) for trials in draws]
    return FewShot(n_trials, float(np.mean(scores)), float(np.std(scores, ddof=1)))


def _co_bps(readout: Readout, trials: Array) -> float:
    """co-bps on the evaluated trials of a readout that is fitted on these training trials."""
    train, evaluated = np.log(readout.train_rates[trials]), np.log(readout.eval_rates)
    mean, sd = train.mean(axis=(0, 1)), train.std(axis=(0, 1)) + MIN_RATE
    features, new_features = (((logs - mean) / sd).reshape(-1, logs.shape[2]) for logs in (train, evaluated))
    spikes = readout.train_spikes[trials].reshape(len(features), -1)
    rates = np.stack([_fitted_rates(features, counts, new_features) for counts in spikes.T], axis=1)
    predicted = torch.from_numpy(rates.reshape(readout.eval_spikes.shape))
    return bits_per_spike(predicted, torch.from_numpy(readout.eval_spikes.astype(float))).item()


def _fitted_rates(features: Array, counts: Array, new_features: Array) -> Array:
    """The rates of one neuron for new bins, from its counts in other bins."""
    from sklearn.linear_model import PoissonRegressor  # imported here, because importing takes a second

    known = np.isfinite(counts)
    if not counts[known].any():
        return np.full(len(new_features), MIN_RATE)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # for a fit that has not converged; its score shows this
        fitted = PoissonRegressor(alpha=PENALTY, solver="newton-cholesky").fit(features[known], counts[known])
    # No neuron fires more than a hundred times its highest count.
    rates: Array = np.clip(fitted.predict(new_features), MIN_RATE, 100 * counts[known].max())
    return rates
