import pytest
import torch
from torch.distributions import Bernoulli, Poisson
from torch.testing import assert_close

from nlb_search.models.architecture.heads import HEADS

OUTPUT = torch.linspace(-5, 2, 30)


def test_exp_is_the_poisson_likelihood_up_to_what_no_rate_changes() -> None:
    counts = torch.arange(30) % 4.0
    exact = -Poisson(OUTPUT.exp()).log_prob(counts)
    assert_close(HEADS["exp"].loss(OUTPUT, counts) + torch.lgamma(counts + 1), exact)


def test_sigmoid_is_the_bernoulli_likelihood_and_its_rates_are_expected_counts() -> None:
    counts = torch.arange(30) % 2.0
    spike = Bernoulli(logits=OUTPUT)
    assert_close(HEADS["Sigmoid"].loss(OUTPUT, counts), -spike.log_prob(counts))
    assert_close(HEADS["Sigmoid"].rates(OUTPUT), spike.mean)


@pytest.mark.parametrize("name", HEADS)
def test_the_start_predicts_the_mean_counts(name: str) -> None:
    mean = torch.tensor([0.02, 0.3, 0.7])
    assert_close(HEADS[name].rates(HEADS[name].start(mean)), mean)


@pytest.mark.parametrize("name", HEADS)
def test_a_silent_neuron_starts_at_a_finite_output(name: str) -> None:
    assert torch.isfinite(HEADS[name].start(torch.zeros(1))).all()
