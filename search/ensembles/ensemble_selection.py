"""Ensemble selection: which trials to average, and with which weights (Caruana et al. 2004).

Members are added one by one, each time the one that increases co-bps of the mean rates on val most
(https://doi.org/10.1145/1015330.1015432). A trial may be added several times, which is its weight. Val has few trials,
and selection overfits them, so it is repeated on random halves of them and the picks are added up.

Suffixes of arrays name their axes: M candidates, B val trials, T bins of the window, N held-out neurons, X known
entries.
"""

import torch
from torch import Tensor

from nlb_search.models.scoring.bits_per_spike import Scored

BAGS = 20
"""Number of random halves of the val trials."""

PICKS = 10
"""Number of members that are added for each half."""

LEAST_WEIGHT = 0.05
"""Candidates with a smaller weight are left out: each member must be trained again, and these change little."""

SEED = 0


def select_ensemble(rates_MBTN: Tensor, spikes_BTN: Tensor) -> Tensor:
    """The weight of each candidate, from its rates for the held-out neurons on val, in spikes per bin.

    Weights sum to 1, and most are 0. Entries where ``spikes_BTN`` is NaN are not scored. If the weighted mean scores
    lower on val than the best candidate alone, that candidate has the weight 1.
    """
    n_candidates, n_trials = rates_MBTN.shape[:2]
    generator = torch.Generator().manual_seed(SEED)
    picked_M = torch.zeros(n_candidates)
    for _ in range(BAGS):
        half_B = torch.randperm(n_trials, generator=generator)[: max(1, n_trials // 2)]
        for pick in _picks(rates_MBTN[:, half_B], spikes_BTN[half_B]):
            picked_M[pick] += 1
    picked_M[picked_M < min(LEAST_WEIGHT * picked_M.sum(), picked_M.max())] = 0
    weights_M = picked_M / picked_M.sum()
    scored = Scored(spikes_BTN)
    alone_M = torch.stack([scored.gains(rates_BTN).bits_per_spike for rates_BTN in rates_MBTN])
    together = scored.gains(torch.einsum("m,mbtn->btn", weights_M, rates_MBTN)).bits_per_spike
    if together < alone_M.max():
        weights_M = torch.nn.functional.one_hot(alone_M.argmax(), n_candidates).float()
    return weights_M


def co_bps_added(weights_M: Tensor, rates_MBTN: Tensor, spikes_BTN: Tensor) -> Tensor:
    """What each candidate adds to the co-bps of the weighted mean: its score minus that without the candidate.

    Without it, the other weights are scaled to sum to 1. The only member adds the whole score, and candidates without
    a weight add 0.
    """
    scored = Scored(spikes_BTN)

    def score(weights_M: Tensor) -> Tensor:
        mean_BTN = torch.einsum("m,mbtn->btn", weights_M / weights_M.sum(), rates_MBTN)
        return scored.gains(mean_BTN).bits_per_spike

    whole, added_M = score(weights_M), torch.zeros(len(weights_M), dtype=torch.float64)
    for member in weights_M.nonzero().flatten().tolist():
        others_M = weights_M.clone()
        others_M[member] = 0
        added_M[member] = whole - score(others_M) if others_M.any() else whole
    return added_M


def _picks(rates_MBTN: Tensor, spikes_BTN: Tensor) -> list[int]:
    """The candidates in the order in which they are added, with repetitions."""
    known = ~torch.isnan(spikes_BTN)
    spikes, rates_MX = spikes_BTN[known], rates_MBTN[:, known]
    sum_X = torch.zeros_like(spikes)
    picks: list[int] = []
    for n_members in range(1, PICKS + 1):
        scores = []
        for rates_X in rates_MX:
            mean_X = (sum_X + rates_X) / n_members
            scores.append((spikes @ mean_X.log() - mean_X.sum()).item())
        picks.append(max(range(len(scores)), key=scores.__getitem__))
        sum_X += rates_MX[picks[-1]]
    return picks
