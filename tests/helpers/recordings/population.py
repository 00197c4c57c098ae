"""A small population with shared slow modulation: held-in neurons predict held-out neurons."""

import torch

from nlb_search.models.tensors import UNSEEN, Counts, Sizes

SIZES = Sizes(n_heldin=8, n_heldout=4, n_window=18, n_forward=6)


def swinging(n_trials: int, seed: int, max_spikes: int | None = None) -> Counts:
    """Spike counts of some trials; no bin has more than ``max_spikes``."""
    generator = torch.Generator().manual_seed(seed)
    phase = torch.rand(n_trials, 1, 1, generator=generator) * 6.28
    bins = torch.arange(SIZES.n_bins).reshape(1, -1, 1) / SIZES.n_bins * 6.28
    preferred = torch.linspace(0, 6.28, SIZES.n_neurons).reshape(1, 1, -1)
    rates = 0.3 * torch.exp(1.2 * torch.cos(bins + phase - preferred))
    target = torch.poisson(rates, generator=generator).clamp(max=max_spikes or torch.inf)
    return counts_of(target, SIZES.n_window, SIZES.n_heldin)


def counts_of(target_BTN: torch.Tensor, n_window: int, n_heldin: int) -> Counts:
    """Counts from numbers in which NaN marks unobserved bins."""
    n_bins, n_neurons = target_BTN.shape[1:]
    counts_BTN = torch.nan_to_num(target_BTN, nan=UNSEEN).to(torch.uint8)
    return Counts(counts_BTN, Sizes(n_heldin, n_neurons - n_heldin, n_window, n_bins - n_window))
