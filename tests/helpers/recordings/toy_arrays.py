"""A small recording of neurons that share a few latents, so that held-in neurons predict held-out neurons."""

from typing import Any

import numpy as np
import numpy.typing as npt

Arrays = dict[str, npt.NDArray[Any]]


def toy_arrays(n_train: int = 40, n_val: int = 16, n_neurons: int = 12, n_bins: int = 30, seed: int = 0) -> Arrays:
    """By nlb_tools' names: the last quarter of the neurons held out, the last fifth of the bins forward, behaviour that
    is a latent, and trial averages of two conditions.
    """
    rng = np.random.default_rng(seed)
    n_trials = n_train + n_val
    n_window, n_heldin = n_bins - n_bins // 5, n_neurons - n_neurons // 4
    time = np.arange(n_bins) / n_bins
    condition = np.arange(n_trials) % 2
    phase = rng.uniform(0, 2 * np.pi, (n_trials, 1)) * 0.2 + np.pi * condition[:, None]
    latents = np.stack([np.sin(2 * np.pi * 2 * time + phase), np.cos(2 * np.pi * time + phase)], axis=-1)
    loading = rng.normal(0, 0.8, (2, n_neurons))
    rates = np.exp(latents @ loading - 1.2)
    spikes = rng.poisson(rates)
    arrays: Arrays = {}
    for prefix, trials in (("train", slice(0, n_train)), ("eval", slice(n_train, None))):
        for ending, bins in (("", slice(0, n_window)), ("_forward", slice(n_window, None))):
            arrays[f"{prefix}_spikes_heldin{ending}"] = spikes[trials, bins, :n_heldin]
            arrays[f"{prefix}_spikes_heldout{ending}"] = spikes[trials, bins, n_heldin:]
        arrays[f"{prefix}_behavior"] = latents[trials, :n_window]
    arrays["psth"] = np.stack([rates[condition == k, :n_window].mean(axis=0) for k in (0, 1)])
    members = np.empty(2, dtype=object)
    for k in (0, 1):
        members[k] = np.flatnonzero(condition[n_train:] == k)
    arrays["eval_cond_idx"] = members
    return arrays
