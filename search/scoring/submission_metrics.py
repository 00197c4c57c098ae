"""The benchmark's metrics of a submission, with the same numbers as ``nlb_tools.evaluation``.

The definitions are those of Pei, Ye et al. 2021 (https://arxiv.org/abs/2109.04463, section 3.2). Velocity is decoded
with scikit-learn, as in nlb_tools. ``models.scoring.velocity_decoding``, which scores the trials of a search, is faster
but agrees to about seven digits only.
"""

import warnings

import numpy as np
import torch

from nlb_search.models.scoring.bits_per_spike import bits_per_spike
from nlb_search.models.scoring.interval_correlation import tp_correlation
from nlb_search.models.scoring.psth import psth_r2
from nlb_search.models.scoring.velocity_decoding import VelocityTargets
from nlb_search.search.scoring.targets import Array, Arrays, scorable, targets_from

PENALTIES = np.logspace(-4, 0, 9)
"""The ridge penalties to choose from, by cross-validation with scikit-learn's default of 5 folds."""


def benchmark_metrics(rates: Arrays, targets: Arrays) -> dict[str, float]:
    """Every metric that the targets allow, by the benchmark's name: co-bps, vel R2 or tp corr, psth R2 and fp-bps.

    ``rates`` and ``targets`` are the arrays of one group of a submission, and of a file like ``eval_data_test.h5``.
    """
    known = targets_from(scorable(targets), torch.device("cpu"))
    window_BWN = _all_neurons(rates, "eval_rates_{}")
    metrics = {"co-bps": _bits_per_spike(_float64(rates["eval_rates_heldout"]), targets["eval_spikes_heldout"])}
    if known.timing is not None:
        metrics["tp corr"] = tp_correlation(torch.from_numpy(window_BWN), known.timing)
    if known.velocities is not None:
        train_BWN = _all_neurons(rates, "train_rates_{}")
        metrics["vel R2"] = _velocity_r2(train_BWN, known.velocities[0], window_BWN, known.velocities[1])
    if known.averages is not None:
        metrics["psth R2"] = psth_r2(torch.from_numpy(window_BWN), known.averages)
    if "eval_rates_heldin_forward" in rates and "eval_spikes_heldin_forward" in targets:
        forward_BTN = _all_neurons(rates, "eval_rates_{}_forward")
        metrics["fp-bps"] = _bits_per_spike(forward_BTN, _all_neurons(targets, "eval_spikes_{}_forward"))
    return metrics


def _all_neurons(arrays: Arrays, name: str) -> Array:
    """The arrays of the held-in and the held-out neurons, joined."""
    return np.concatenate([_float64(arrays[name.format(kind)]) for kind in ("heldin", "heldout")], axis=-1)


def _float64(array: Array) -> Array:
    return array.astype(np.float64)


def _bits_per_spike(rates_BTN: Array, spikes_BTN: Array) -> float:
    return bits_per_spike(torch.from_numpy(rates_BTN), torch.from_numpy(_float64(spikes_BTN))).item()


def _velocity_r2(train_BWN: Array, train: VelocityTargets, eval_BWN: Array, evaluated: VelocityTargets) -> float:
    """R2 of velocity decoded from rates with a ridge regression, averaged over decoders."""
    from sklearn.linear_model import Ridge  # imported here, because importing takes a second
    from sklearn.model_selection import GridSearchCV

    scores = []
    for train_B, eval_B in zip(train.decoders_BM.T, evaluated.decoders_BM.T, strict=True):
        decoder = GridSearchCV(Ridge(), {"alpha": PENALTIES})
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of ill-conditioned systems: small penalties are part of the metric
            decoder.fit(*_samples(train_BWN, train, train_B))
        scores.append(decoder.score(*_samples(eval_BWN, evaluated, eval_B)))
    return float(np.mean(scores))


def _samples(rates_BWN: Array, velocity: VelocityTargets, trials_B: torch.Tensor) -> tuple[Array, Array]:
    """Rates and velocity of the trials' bins with known velocity: samples x neurons and samples x directions."""
    velocity_BWC = velocity.velocity_BWC.numpy()[trials_B.numpy()]
    known_BW = ~np.isnan(velocity_BWC[..., 0])
    return rates_BWN[trials_B.numpy()][known_BW], velocity_BWC[known_BW]
