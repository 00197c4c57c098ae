"""Models with random weights, for tests that need no search."""

import torch

from nlb_search.models.architecture.chain import parse_chain
from nlb_search.models.architecture.chain_network import ChainNetwork
from nlb_search.models.hyperparameters import Hyperparameters
from nlb_search.models.tensors import Sizes
from nlb_search.search.ensembles.weighted_networks import WeightedNetwork
from nlb_search.search.exported_models.card import Card

SIZES = Sizes(n_heldin=6, n_heldout=3, n_window=12, n_forward=4)
CARD_OF_NONE = Card(
    study="study",
    dataset="rat-7",
    bin_ms=5,
    content_hash="0",
    recording=None,
    sizes=SIZES,
    units=None,
    heldin_units=None,
    heldout_units=None,
    trained_on="train",
    seeds=1,
    members=(),
    co_bps=0.0,
    co_bps_low=0.0,
    co_bps_high=0.0,
    versions={},
    exported_with={},
)


def random_network(chain: str, weight: float, bidirectional: bool) -> WeightedNetwork:
    """A network of the size ``SIZES`` with 8 channels."""
    torch.manual_seed(0)
    hyper = Hyperparameters(hidden=8, bidirectional=bidirectional)
    network = ChainNetwork(parse_chain(chain), SIZES, hyper, torch.full((SIZES.n_neurons,), 0.1)).eval()
    settings = {"architecture": chain, "hidden": 8, "bidirectional": bidirectional}
    return WeightedNetwork(network, settings, weight)
