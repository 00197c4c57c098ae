"""Causal chains, one bin at a time."""

import pytest
import torch
from torch.testing import assert_close

from nlb_search.models.architecture.chain import parse_chain
from nlb_search.models.architecture.chain_network import ChainNetwork
from nlb_search.models.architecture.network import predict
from nlb_search.models.architecture.stream import Stream
from nlb_search.models.blocks import BLOCKS, Block
from nlb_search.models.errors import NotCausalError
from nlb_search.models.hyperparameters import Hyperparameters
from nlb_search.models.tensors import Sizes

SIZES = Sizes(n_heldin=6, n_heldout=3, n_window=12, n_forward=4)
CAUSAL = {"GRU", "minGRU", "LRU", "FF"}


def _network(chain: str, bidirectional: bool = False, num_layers: int | None = None) -> ChainNetwork:
    torch.manual_seed(0)
    hyper = Hyperparameters(hidden=7, bidirectional=bidirectional, num_layers=num_layers)
    return ChainNetwork(parse_chain(chain), SIZES, hyper, torch.full((9,), 0.1))


@pytest.mark.parametrize("chain", [*(f"{name} -> FF -> exp" for name in sorted(CAUSAL)), "FF -> GRU -> FF -> Sigmoid"])
@pytest.mark.parametrize("num_layers", [None, 3])
def test_rates_bin_by_bin_equal_those_of_whole_trials(chain: str, num_layers: int | None) -> None:
    network = _network(chain, num_layers=num_layers)
    heldin = torch.poisson(torch.full((5, SIZES.n_window, SIZES.n_heldin), 0.5))
    padded = torch.cat([heldin, torch.zeros(5, SIZES.n_forward, SIZES.n_heldin)], dim=1)
    stream = Stream(network)
    rates = torch.stack([stream.step(counts) for counts in padded.unbind(1)], dim=1)
    assert_close(rates, predict(network, heldin), atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("name", sorted(BLOCKS))
def test_blocks_are_causal_where_they_say_so(name: str) -> None:
    """Spikes of the last bin change the output of earlier bins only if the block is not causal."""
    block: Block = BLOCKS[name](SIZES.n_heldin, SIZES, Hyperparameters(hidden=7, bidirectional=False), 2).eval()
    x = torch.randn(1, SIZES.n_bins, SIZES.n_heldin)
    changed = x.clone()
    changed[:, -1] += 1
    bins = torch.arange(SIZES.n_bins)[None]
    is_causal = torch.equal(block(x, bins)[:, :-1], block(changed, bins)[:, :-1])
    assert block.is_causal == is_causal == (name in CAUSAL)


@pytest.mark.parametrize(
    ("chain", "bidirectional", "named"),
    [
        ("Conv -> GRU -> FF -> exp", False, "Conv"),
        ("FF -> Trans -> exp", False, "Trans"),
        ("GRU -> FF -> exp", True, "GRU"),
    ],
)
def test_chains_that_read_later_bins_are_rejected(chain: str, bidirectional: bool, named: str) -> None:
    with pytest.raises(NotCausalError, match=f"{named} reads later bins"):
        Stream(_network(chain, bidirectional))
