import pytest
import torch

from nlb_search.models.architecture.chain import parse_chain
from nlb_search.models.architecture.chain_network import ChainNetwork
from nlb_search.models.architecture.network import predict
from nlb_search.models.hyperparameters import Hyperparameters
from nlb_search.models.scoring.psth import PsthTargets
from nlb_search.models.scoring.velocity_decoding import VelocityTargets
from nlb_search.models.tensors import Counts, Sizes
from nlb_search.search.scoring.targets import Targets
from nlb_search.search.scoring.trial_metrics import decoded_velocity_errors, metrics_of


def _counts(n_trials: int) -> Counts:
    spikes_BTN = torch.poisson(torch.full((n_trials, 12, 5), 0.5))
    return Counts(spikes_BTN.to(torch.uint8), Sizes(n_heldin=3, n_heldout=2, n_window=10, n_forward=2))


def _velocity(n_trials: int) -> VelocityTargets:
    return VelocityTargets(torch.randn(n_trials, 10, 2), torch.ones(n_trials, 1, dtype=torch.bool))


@pytest.mark.parametrize("broken", ["the shape", "the values"])
def test_undefined_metric_is_omitted(broken: str, caplog: pytest.LogCaptureFixture) -> None:
    torch.manual_seed(0)
    train, val = _counts(20), _counts(8)
    network = ChainNetwork(parse_chain("FF -> exp"), train.sizes, Hyperparameters(), torch.full((5,), 0.5))
    averages = PsthTargets(torch.randn(1, 10, 5), (torch.arange(8),), torch.zeros(8, dtype=torch.long))
    rates_BWN = predict(network, val.heldin_BWI)[:, :10]
    whole = Targets((_velocity(20), _velocity(8)), averages)
    errors_MBWC = decoded_velocity_errors(network, train, rates_BWN, whole)
    assert metrics_of(rates_BWN, errors_MBWC, whole).keys() == {"vel_r2", "psth_r2"}
    assert not caplog.messages

    bad = _velocity(19)
    if broken == "the values":
        bad = _velocity(20)
        bad.velocity_BWC[3, :, 1] = torch.nan
    spoiled = Targets((bad, _velocity(8)), averages)
    found = metrics_of(rates_BWN, decoded_velocity_errors(network, train, rates_BWN, spoiled), spoiled)
    assert found.keys() == {"psth_r2"}
    assert "vel_r2 cannot be computed" in caplog.text
