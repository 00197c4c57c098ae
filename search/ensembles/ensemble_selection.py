"""Ensemble selection: which trials to average, and with which weights (Caruana et al. 2004).

Members are added one by one, each time the one that increases co-bps of the mean rates on val most
(https://doi.org/10.1145/1015330.1015432). A trial may be added several times, which is its weight. Val has few trials,
and selection overfits them, so it is repeated on random halves of them and the picks are added up.

Suffixes of arrays name their axes: M candidates, B val trials, T bins of the window, N held-out neurons, X entries with
spikes.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from nlb_search.models.scoring.bits_per_spike import MIN_RATE, ScoredSpikes

BAGS = 20
"""Number of random halves of the val trials."""

PICKS = 10
"""Number of members that are added for each half."""

LEAST_WEIGHT = 0.05
"""Candidates with a smaller weight are left out: each member must be retrained, and these change little."""

SEED = 0


@dataclass(frozen=True, eq=False)
class _Candidates:
    """The small part of each candidate's rates that a Poisson log-likelihood needs.

    It needs the logarithms of the rates where there are spikes, and the sum of the rates of all entries.
    """

    spikes_X: Tensor
    trials_X: Tensor
    rates_MX: Tensor
    total_MB: Tensor

    def of_trials(self, trials: Tensor) -> "_Candidates":
        chosen_X = torch.isin(self.trials_X, trials)
        return _Candidates(
            self.spikes_X[chosen_X], self.trials_X[chosen_X], self.rates_MX[:, chosen_X], self.total_MB[:, trials]
        )

    def log_likelihood(self, weights_M: Tensor) -> float:
        """The log-likelihood of the weighted mean, without the term that does not depend on the rates."""
        mean_X = weights_M @ self.rates_MX
        return (self.spikes_X @ mean_X.log() - weights_M.double() @ self.total_MB.sum(dim=1)).item()


def _candidates(each_BTN: Iterable[Tensor], spikes_BTN: Tensor) -> _Candidates:
    unknown, spiking = torch.isnan(spikes_BTN), spikes_BTN > 0
    reduced = [
        (rates_BTN[spiking].clamp(min=MIN_RATE), rates_BTN.masked_fill(unknown, 0).sum(dim=(1, 2), dtype=torch.float64))
        for rates_BTN in each_BTN
    ]
    rates_MX, total_MB = (torch.stack(parts) for parts in zip(*reduced, strict=True))
    return _Candidates(spikes_BTN[spiking], spiking.nonzero()[:, 0], rates_MX, total_MB)


def select_ensemble(each_BTN: Iterable[Tensor], spikes_BTN: Tensor) -> Tensor:
    """The weight of each candidate, from the rates of each for the held-out neurons on val, in spikes per bin.

    Weights sum to 1, and most are 0. Entries where ``spikes_BTN`` is NaN are not scored. If the weighted mean scores
    lower on val than the best candidate alone, that candidate has the weight 1.
    """
    candidates = _candidates(each_BTN, spikes_BTN)
    n_candidates, n_trials = candidates.total_MB.shape
    generator = torch.Generator().manual_seed(SEED)
    picked_M = torch.zeros(n_candidates)
    for _ in range(BAGS):
        half_B = torch.randperm(n_trials, generator=generator)[: max(1, n_trials // 2)]
        for pick in _picks(candidates.of_trials(half_B)):
            picked_M[pick] += 1
    picked_M[picked_M < min(LEAST_WEIGHT * picked_M.sum(), picked_M.max())] = 0
    weights_M = picked_M / picked_M.sum()
    alone_M = [candidates.log_likelihood(only_M) for only_M in torch.eye(n_candidates)]
    best = max(range(n_candidates), key=alone_M.__getitem__)
    if candidates.log_likelihood(weights_M) < alone_M[best]:
        weights_M = torch.eye(n_candidates)[best]
    return weights_M


def co_bps_added(weights_M: Tensor, rates_MBTN: Tensor, spikes_BTN: Tensor) -> Tensor:
    """What each member adds to the co-bps of the weighted mean: its score minus that without the member.

    Without it, the other weights are scaled to sum to 1. A single member adds the whole score.
    """
    scored = ScoredSpikes(spikes_BTN)

    def score(weights_M: Tensor) -> Tensor:
        mean_BTN = torch.einsum("m,mbtn->btn", weights_M / weights_M.sum(), rates_MBTN)
        return scored.gains(mean_BTN).bits_per_spike

    whole, added_M = score(weights_M), torch.zeros(len(weights_M), dtype=torch.float64)
    for member in range(len(weights_M)):
        others_M = weights_M.clone()
        others_M[member] = 0
        added_M[member] = whole - score(others_M) if others_M.any() else whole
    return added_M


def _picks(candidates: _Candidates) -> list[int]:
    """The candidates in the order in which they are added, with repetitions."""
    total_M = candidates.total_MB.sum(dim=1)
    sum_X, total, picks = torch.zeros_like(candidates.spikes_X), torch.zeros_like(total_M[0]), list[int]()
    for n_members in range(1, PICKS + 1):
        logs_M = torch.stack([candidates.spikes_X @ (sum_X + rates_X).log() for rates_X in candidates.rates_MX])
        # The mean divides the sum by n_members: the same constant for all logarithms.
        picks.append(int((logs_M - (total + total_M) / n_members).argmax()))
        sum_X += candidates.rates_MX[picks[-1]]
        total += total_M[picks[-1]]
    return picks
