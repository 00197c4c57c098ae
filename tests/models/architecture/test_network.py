import pytest
import torch
from torch.testing import assert_close

from nlb_search.models.architecture.chain import parse_chain
from nlb_search.models.architecture.chain_network import ChainNetwork
from nlb_search.models.architecture.named_chains import NAMED_CHAINS
from nlb_search.models.architecture.network import predict
from nlb_search.models.errors import ChainError
from nlb_search.models.hyperparameters import Hyperparameters
from nlb_search.models.tensors import Sizes

SIZES = Sizes(n_heldin=6, n_heldout=3, n_window=12, n_forward=4)
CHAINS = [
    *NAMED_CHAINS,
    "GRU(1) -> FF -> FF -> exp",
    "FF -> RoBERTa(2) -> exp",
    "GRU -> FF -> Sigmoid",
    "minGRU(2) -> FF -> exp",
]


def _network(chain: str, hyper: Hyperparameters | None = None, mean: float = 0.1) -> ChainNetwork:
    torch.manual_seed(0)
    return ChainNetwork(parse_chain(chain), SIZES, hyper or Hyperparameters(), torch.full((9,), mean))


@pytest.mark.parametrize("chain", CHAINS)
def test_predicted_rates_are_positive(chain: str) -> None:
    rates = predict(_network(chain), torch.poisson(torch.full((5, 12, 6), 0.2)))
    assert rates.shape == (5, 16, 9)
    assert (rates > 0).all()


@pytest.mark.parametrize("chain", CHAINS)
def test_initial_rates_are_near_the_mean(chain: str) -> None:
    network = _network(chain, mean=0.05)
    for parameter in network.blocks.parameters():
        torch.nn.init.zeros_(parameter)
    assert_close(predict(network, torch.ones(2, 12, 6)), torch.full((2, 16, 9), 0.05))


@pytest.mark.parametrize("chain", CHAINS)
def test_trials_are_independent(chain: str) -> None:
    network = _network(chain)
    heldin = torch.poisson(torch.full((7, 12, 6), 0.3))
    assert_close(predict(network, heldin)[2:3], predict(network, heldin[2:3]), atol=1e-5, rtol=1e-4)


def test_num_layers_overrides_the_number_in_the_chain() -> None:
    def layers(text: str, searched: int | None) -> int:
        network = _network(text, Hyperparameters(num_layers=searched))
        return sum(name.endswith("state_weight_D3HH") for name, _ in network.blocks.named_parameters())

    assert layers("GRU(2) -> FF -> exp", None) == 2
    assert layers("GRU(2) -> FF -> exp", 3) == 3
    assert layers("GRU -> FF -> exp", None) == 1


@pytest.mark.parametrize(("chain", "published"), [("rnnf", 0.15), ("neural-roberta", 0.32)])
def test_published_parameter_counts(chain: str, published: float) -> None:
    """On mc_rtt with hidden 64, in millions: within a tenth, for the published work does not give every width."""
    sizes = Sizes(n_heldin=98, n_heldout=32, n_window=120, n_forward=40)
    network = ChainNetwork(parse_chain(chain), sizes, Hyperparameters(hidden=64), torch.ones(sizes.n_neurons))
    assert sum(parameter.numel() for parameter in network.parameters()) / 1e6 == pytest.approx(published, rel=0.1)


def test_chain_with_wrong_output_width_is_rejected() -> None:
    with pytest.raises(ChainError, match="80 channels, but the recording has 9 neurons: insert FF before exp"):
        _network("GRU(2) -> exp")
