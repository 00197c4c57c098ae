"""A model as ONNX gives the rates of torch."""

from typing import Any

import numpy as np
import pytest
import torch

from nlb_search.models.architecture.chain import parse_chain
from nlb_search.models.architecture.chain_network import ChainNetwork
from nlb_search.models.blocks import BLOCKS
from nlb_search.models.hyperparameters import Hyperparameters
from nlb_search.models.tensors import Sizes
from nlb_search.search.ensembles.weighted_networks import WeightedNetwork
from nlb_search.search.exported_models.card import Card
from nlb_search.search.exported_models.model import Model
from nlb_search.search.exported_models.onnx_file import CARD, save_onnx

pytest.importorskip("onnxscript", reason="the extra onnx is not installed")
onnxruntime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")

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
ALL_BLOCKS = " -> ".join([*(name for name in BLOCKS if name != "FF"), "FF", "exp"])


def _network(chain: str, weight: float, bidirectional: bool) -> WeightedNetwork:
    torch.manual_seed(0)
    hyper = Hyperparameters(hidden=8, bidirectional=bidirectional)
    network = ChainNetwork(parse_chain(chain), SIZES, hyper, torch.full((SIZES.n_neurons,), 0.1)).eval()
    return WeightedNetwork(network, {"architecture": chain}, weight)


@pytest.fixture(scope="module")
def model() -> Model:
    """All blocks in both directions, and one direction with the other head."""
    networks = (
        _network(ALL_BLOCKS, 0.7, bidirectional=True),
        _network("GRU -> FF -> Sigmoid", 0.3, bidirectional=False),
    )
    return Model(networks, CARD_OF_NONE)


@pytest.fixture(scope="module")
def session(model: Model, tmp_path_factory: pytest.TempPathFactory) -> Any:
    path = tmp_path_factory.mktemp("onnx") / "model.onnx"
    save_onnx(path, model)
    return onnxruntime.InferenceSession(path)


@pytest.mark.parametrize("n_trials", [1, 7])
def test_every_block_gives_the_rates_of_torch(n_trials: int, model: Model, session: Any) -> None:
    counts = np.random.default_rng(n_trials).poisson(0.5, (n_trials, SIZES.n_window, SIZES.n_heldin))
    [rates] = session.run(["rates"], {"counts": counts.astype(np.float32)})
    assert rates.shape == (n_trials, SIZES.n_bins, SIZES.n_neurons)
    np.testing.assert_allclose(rates, model(counts), atol=1e-5, rtol=0)


def test_the_file_has_the_card(session: Any) -> None:
    assert Card.model_validate_json(session.get_modelmeta().custom_metadata_map[CARD]) == CARD_OF_NONE
