"""A model as ONNX gives the rates of torch."""

from typing import Any

import numpy as np
import pytest
import torch

from nlb_search.models.architecture.own.model import parse_own_model
from nlb_search.models.architecture.own.network import OwnNetwork
from nlb_search.models.blocks import BLOCKS
from nlb_search.models.hyperparameters import Hyperparameters
from nlb_search.search.ensembles.weighted_networks import WeightedNetwork
from nlb_search.search.errors import SearchError
from nlb_search.search.exported_models.card import Card
from nlb_search.search.exported_models.model import Model
from nlb_search.search.exported_models.onnx_file import CARD, check_convertible, save_onnx
from tests.helpers.random_models import CARD_OF_NONE, SIZES, random_network

pytest.importorskip("onnxscript", reason="the extra onnx is not installed")
onnxruntime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")

ALL_BLOCKS = " -> ".join([*(name for name in BLOCKS if name != "FF"), "FF", "exp"])


@pytest.fixture(scope="module")
def model() -> Model:
    """All blocks in both directions, and one direction with the other head."""
    networks = (
        random_network(ALL_BLOCKS, 0.7, bidirectional=True),
        random_network("GRU -> FF -> Sigmoid", 0.3, bidirectional=False),
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


def test_model_of_the_user_that_onnx_lacks_is_rejected_before_training() -> None:
    def network(name: str) -> WeightedNetwork:
        built = OwnNetwork(parse_own_model(f"own_nets:{name}"), SIZES, Hyperparameters(), torch.full((9,), 0.1))
        return WeightedNetwork(built, {}, 1.0)

    check_convertible([network("Good"), random_network("GRU -> FF -> exp", 0.3, bidirectional=False)])
    with pytest.raises(SearchError, match=r"cannot be written as ONNX .*: save it with --model instead"):
        check_convertible([network("Branching")])
