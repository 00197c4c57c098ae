"""A step that is recorded on a GPU does what it does when it is called plainly."""

import pytest
import torch
from population import swinging
from torch.testing import assert_close

from nlb_search.models.architecture.chain import parse_chain
from nlb_search.models.hyperparameters import Hyperparameters
from nlb_search.models.training.graph_capture import UNRECORDED, Repeated
from nlb_search.models.training.side_by_side import SideBySide
from nlb_search.models.training.state import Plan, Training


def test_on_a_cpu_every_call_is_plain() -> None:
    total = torch.zeros(3)
    repeated = Repeated()
    results = [repeated(lambda given: total.add_(given).clone(), torch.full((3,), float(call))) for call in range(5)]
    assert_close(results[-1], torch.full((3,), 0.0 + 1 + 2 + 3 + 4))
    assert_close(total, results[-1])


@pytest.mark.skipif(not torch.cuda.is_available(), reason="steps are recorded on a GPU alone, and torch sees none")
@pytest.mark.parametrize(
    "chain", ["GRU(2) -> FF -> exp", "GRU -> FF -> RoBERTa(1) -> FF -> exp", "minGRU -> FF -> exp"]
)
@pytest.mark.parametrize("input_size", ["DT", "dT"])
def test_recorded_steps_equal_plain_ones(chain: str, input_size: str) -> None:
    device = torch.device("cuda")
    train = swinging(64, seed=1).to(device)
    hyper = Hyperparameters(hidden=8, input_size=input_size, mask_variant="dot strip L")
    plan = Plan(epochs=4, batch_size=8)

    def losses(recorded: bool) -> torch.Tensor:
        steps = SideBySide([Training(parse_chain(chain), hyper, plan, train, seed, device) for seed in range(3)])
        if not recorded:
            steps._repeated = lambda step, given: step(given)  # type: ignore[assignment]
        found = steps.train_epoch(lambda: False)
        assert found is not None
        assert len(found) > UNRECORDED + 2
        return found

    assert_close(losses(recorded=True), losses(recorded=False), rtol=1e-4, atol=1e-5)
