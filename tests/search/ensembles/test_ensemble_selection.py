"""Ensemble selection on rates whose truth is known."""

import pytest
import torch
from torch import Tensor

from nlb_search.models.scoring.bits_per_spike import bits_per_spike
from nlb_search.search.ensembles import ensemble_selection
from nlb_search.search.ensembles.ensemble_selection import PICKS, SEED, co_bps_added, select_ensemble

N_TRIALS, N_BINS, N_NEURONS = 60, 30, 8


def _truth() -> tuple[Tensor, Tensor, Tensor]:
    """True rates, and two draws of spikes: one to select on, and a fresh one."""
    generator = torch.Generator().manual_seed(0)
    rates = torch.exp(torch.randn(N_TRIALS, N_BINS, N_NEURONS, generator=generator) * 0.5 - 1)
    val, fresh = (torch.poisson(rates, generator=generator) for _ in range(2))
    return rates, val, fresh


def _noisy(rates: Tensor, seed: int, noise: float) -> Tensor:
    return rates * torch.exp(noise * torch.randn(rates.shape, generator=torch.Generator().manual_seed(seed)))


def _mean(weights_M: Tensor, rates_MBTN: Tensor) -> Tensor:
    return torch.einsum("m,mbtn->btn", weights_M, rates_MBTN)


def test_independent_errors_are_averaged_and_fresh_spikes_are_predicted_better() -> None:
    rates, val, fresh = _truth()
    candidates = torch.stack([_noisy(rates, seed, 0.5) for seed in range(1, 7)])
    weights = select_ensemble(candidates, val)
    torch.testing.assert_close(weights.sum(), torch.tensor(1.0))
    assert (weights > 0.05).all()
    best_alone = max(bits_per_spike(alone, fresh).item() for alone in candidates)
    assert bits_per_spike(_mean(weights, candidates), fresh).item() > best_alone + 0.02


def test_poor_candidates_get_no_weight() -> None:
    rates, val, _ = _truth()
    candidates = torch.stack([rates, *(_noisy(rates, seed, 2.0) for seed in range(1, 6))])
    weights = select_ensemble(candidates, val)
    assert weights[0] > 0.9


def test_the_mean_never_scores_lower_on_val_than_the_best_candidate() -> None:
    for seed in range(20):
        generator = torch.Generator().manual_seed(seed)
        candidates = torch.exp(torch.randn(5, 3, 4, 2, generator=generator))
        spikes = torch.poisson(torch.ones(3, 4, 2), generator=generator)
        weights = select_ensemble(candidates, spikes)
        best_alone = max(bits_per_spike(alone, spikes).item() for alone in candidates)
        assert bits_per_spike(_mean(weights, candidates), spikes).item() >= best_alone - 1e-6


def test_what_a_member_adds_is_missing_without_it() -> None:
    rates, val, _ = _truth()
    candidates = torch.stack([_noisy(rates, seed, 0.5) for seed in range(1, 4)])
    weights = torch.tensor([0.5, 0.25, 0.25])
    added = co_bps_added(weights, candidates, val)
    whole = bits_per_spike(_mean(weights, candidates), val)
    without_first = bits_per_spike((candidates[1] + candidates[2]) / 2, val)
    torch.testing.assert_close(added[0], whole.double() - without_first.double(), atol=1e-5, rtol=0)
    alone = co_bps_added(torch.tensor([0.0, 1.0, 0.0]), candidates, val)
    assert alone.tolist() == pytest.approx([0, bits_per_spike(candidates[1], val).item(), 0], abs=1e-6)


def test_entries_without_a_known_count_are_not_scored() -> None:
    rates, val, _ = _truth()
    candidates = torch.stack([_noisy(rates, seed, 0.5) for seed in range(1, 4)])
    unknown = torch.rand(val.shape, generator=torch.Generator().manual_seed(3)) < 0.3
    wrong = torch.where(unknown, candidates * 100, candidates)
    spikes = val.masked_fill(unknown, torch.nan)
    torch.testing.assert_close(select_ensemble(wrong, spikes), select_ensemble(candidates, spikes))


def test_each_pick_is_the_candidate_that_increases_co_bps_most(monkeypatch: pytest.MonkeyPatch) -> None:
    rates, val, _ = _truth()
    # Rates that are too high on average have a likelihood that depends on the entries without spikes.
    candidates = torch.stack([_noisy(rates, seed, 0.4 + 0.1 * seed) * (1 + 0.1 * seed) for seed in range(5)])
    monkeypatch.setattr(ensemble_selection, "BAGS", 1)
    monkeypatch.setattr(ensemble_selection, "LEAST_WEIGHT", 0.0)
    half = torch.randperm(N_TRIALS, generator=torch.Generator().manual_seed(SEED))[: N_TRIALS // 2]
    picks: list[int] = []
    for _ in range(PICKS):
        means = [candidates[[*picks, one]].mean(dim=0) for one in range(len(candidates))]
        picks.append(int(torch.stack([bits_per_spike(mean[half], val[half]) for mean in means]).argmax()))
    assert len(set(picks)) > 1
    expected = torch.bincount(torch.tensor(picks), minlength=len(candidates)) / PICKS
    torch.testing.assert_close(select_ensemble(candidates, val), expected)
