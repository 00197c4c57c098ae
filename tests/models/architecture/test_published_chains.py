"""Every chain with a published val score on mc_rtt can be parsed, built and trained."""

import pytest
import torch

from nlb_search.models.architecture.chain import parse_chain
from nlb_search.models.architecture.chain_network import ChainNetwork
from nlb_search.models.architecture.network import predict
from nlb_search.models.hyperparameters import Hyperparameters
from nlb_search.models.tensors import Sizes
from nlb_search.models.training.trainer import fit
from nlb_search.models.training.training import Training
from nlb_search.models.training.training_plan import TrainingPlan
from tests.helpers.recordings.population import swinging

CPU = torch.device("cpu")
MC_RTT = Sizes(n_heldin=98, n_heldout=32, n_window=120, n_forward=40)

CHAINS = (
    "GRU(2) -> FF -> exp",
    "GRU(2) -> FF -> RoBERTa(1) -> FF -> exp",
    "GRU(2) -> FF -> Conv -> FF -> exp",
    "GRU(2) -> FF -> Deconv -> FF -> exp",
    "GRU(2) -> FF -> Conv(smooth) -> FF -> exp",
    "Conv -> GRU(2) -> FF -> Deconv -> FF -> exp",
    "GRU(2) -> FF -> FF -> exp",
    "GRU(2) -> FF -> FF -> Sigmoid",
    "Conv -> GRU(1) -> FF -> Sigmoid",
    "Conv -> Trans -> Deconv -> Trans -> exp",
    "Conv -> Trans -> Deconv -> Trans -> Sigmoid",
    "Conv -> Trans -> Deconv -> Sigmoid",
    "Conv -> Trans -> Deconv -> FF -> Sigmoid",
    "Conv -> Trans -> FF -> Sigmoid",
    "Deconv -> Trans -> FF -> Sigmoid",
    "Deconv -> GRU(1) -> FF -> Sigmoid",
)


@pytest.mark.parametrize("text", CHAINS)
def test_published_chain_text_round_trip(text: str) -> None:
    assert str(parse_chain(text)) == text


@pytest.mark.parametrize("text", CHAINS)
def test_published_chain_predicts_positive_rates(text: str) -> None:
    torch.manual_seed(0)
    network = ChainNetwork(parse_chain(text), MC_RTT, Hyperparameters(), torch.full((MC_RTT.n_neurons,), 0.05))
    rates_BTN = predict(network, torch.poisson(torch.full((2, MC_RTT.n_window, MC_RTT.n_heldin), 0.05)))
    assert rates_BTN.shape == (2, MC_RTT.n_bins, MC_RTT.n_neurons)
    assert torch.isfinite(rates_BTN).all()
    assert (rates_BTN > 0).all()


@pytest.mark.parametrize("text", CHAINS)
def test_published_chain_learns_held_out_neurons(text: str) -> None:
    chain = parse_chain(text)
    train, val = (swinging(n_trials, seed, chain.head.max_spikes) for n_trials, seed in ((64, 1), (32, 2)))
    hyper = Hyperparameters(hidden=16, lr=0.02, dropout=0.1)
    training = Training(chain, hyper, TrainingPlan(epochs=8, evaluate_every=8, batch_size=16), train, 0, CPU)
    (evaluation,) = fit(training, val)
    assert evaluation.co_bps > 0.1
