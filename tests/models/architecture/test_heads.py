import pytest
import torch
from torch.distributions import Bernoulli, Poisson
from torch.testing import assert_close

from nlb_search.models.architecture.heads import HEADS

OUTPUT = torch.linspace(-5, 2, 30)


def test_exp_head_is_poisson_likelihood_up_to_a_constant() -> None:
    counts = torch.arange(30) % 4.0
    exact = -Poisson(OUTPUT.exp()).log_prob(counts)
    assert_close(HEADS["exp"].loss(OUTPUT, counts) + torch.lgamma(counts + 1), exact)


def test_sigmoid_head_is_bernoulli_likelihood() -> None:
    counts = torch.arange(30) % 2.0
    spike = Bernoulli(logits=OUTPUT)
    assert_close(HEADS["Sigmoid"].loss(OUTPUT, counts), -spike.log_prob(counts))
    assert_close(HEADS["Sigmoid"].rates(OUTPUT), spike.mean)


@pytest.mark.parametrize("name", HEADS)
def test_initial_output_predicts_mean_counts(name: str) -> None:
    mean = torch.tensor([0.02, 0.3, 0.7])
    assert_close(HEADS[name].rates(HEADS[name].start(mean)), mean)


@pytest.mark.parametrize("name", HEADS)
def test_initial_output_of_silent_neuron_is_finite(name: str) -> None:
    assert torch.isfinite(HEADS[name].start(torch.zeros(1))).all()
