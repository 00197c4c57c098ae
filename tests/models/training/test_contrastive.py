"""The contrastive loss compares the two views of each trial with those of all others."""

import pytest
import torch
from torch.nn.functional import cosine_similarity, cross_entropy

from nlb_search.models.training.contrastive import TEMPERATURE, contrastive_loss
from tests.helpers.vmapped import assert_as_alone

FIRST_BTC, SECOND_BTC = torch.randn(2, 5, 3, 2, generator=torch.Generator().manual_seed(0))


def test_loss_is_the_cross_entropy_of_finding_the_other_view() -> None:
    views = torch.cat([FIRST_BTC, SECOND_BTC]).flatten(1)
    losses = []
    for view in range(10):
        others = [other for other in range(10) if other != view]
        similarity = torch.stack([cosine_similarity(views[view], views[other], dim=0) for other in others])
        losses.append(cross_entropy(similarity / TEMPERATURE, torch.tensor(others.index((view + 5) % 10))))
    assert contrastive_loss(FIRST_BTC, SECOND_BTC).item() == pytest.approx(torch.stack(losses).mean().item(), rel=1e-5)


def test_loss_is_low_if_the_views_of_each_trial_are_alike() -> None:
    alike = contrastive_loss(FIRST_BTC, 3 * FIRST_BTC)
    exchanged = contrastive_loss(FIRST_BTC, 3 * FIRST_BTC.roll(1, dims=0))
    assert alike < 0.1 < exchanged


def test_single_trial_has_no_loss() -> None:
    assert contrastive_loss(FIRST_BTC[:1], SECOND_BTC[:1]).item() == pytest.approx(0, abs=1e-5)


def test_networks_side_by_side_have_their_own_losses() -> None:
    generator = torch.Generator().manual_seed(1)
    assert_as_alone(contrastive_loss, torch.randn(2, 3, 5, 3, 2, generator=generator).unbind(), shared=None)
