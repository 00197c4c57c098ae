"""Training steps captured as a CUDA graph equal eager steps, and those on a CPU."""

from collections.abc import Callable

import pytest
import torch
from torch.testing import assert_close

from nlb_search.models.architecture.chain import parse_chain
from nlb_search.models.hyperparameters import Hyperparameters
from nlb_search.models.random_draws import draw, key_of
from nlb_search.models.training.cuda_graphs import WARM_UP_CALLS
from nlb_search.models.training.stacked_trainings import StackedTrainings
from nlb_search.models.training.trainer import fit
from nlb_search.models.training.training import Training
from nlb_search.models.training.training_plan import TrainingPlan
from tests.helpers.recordings.population import swinging

CHAINS = [
    "GRU(2) -> FF -> exp",
    "minGRU -> FF -> exp",
    "LRU -> FF -> exp",
    "GRU -> FF -> RoBERTa(1) -> FF -> exp",
    "Conv -> Trans -> Deconv -> Trans -> Sigmoid",
    "GRU -> FF -> Conv(smooth) -> FF -> exp",
]
PLAN = TrainingPlan(epochs=4, batch_size=8)


def trainings(chain: str, input_size: str, number: int, device: torch.device) -> list[Training]:
    """Trainings with different seeds and settings, including numbers of hidden channels."""
    train = swinging(64, seed=1, max_spikes=1)
    hypers = [
        Hyperparameters(
            lr=0.01 / (1 + seed), hidden=8 - seed % 2, input_size=input_size, mask_variant="dot strip L", l2_weight=1e-4
        )
        for seed in range(number)
    ]
    return [Training(parse_chain(chain), hyper, PLAN, train, seed, device) for seed, hyper in enumerate(hypers)]


def losses(steps: StackedTrainings) -> torch.Tensor:
    found = steps.train_epoch(lambda: False)
    assert found is not None
    assert len(found) > WARM_UP_CALLS + 2  # some steps are replays of the graph
    return found


@pytest.mark.parametrize("chain", CHAINS)
@pytest.mark.parametrize("input_size", ["DT", "dT"])
def test_captured_steps_equal_eager_steps(
    chain: str, input_size: str, device: torch.device, monkeypatch: pytest.MonkeyPatch
) -> None:
    captured = StackedTrainings(trainings(chain, input_size, 3, device))
    launched = StackedTrainings(trainings(chain, input_size, 3, device))
    monkeypatch.setattr(launched, "_repeated", lambda step, given: step(given))
    assert_close(losses(captured), losses(launched), rtol=1e-4, atol=1e-5)
    assert_close(captured.rows.weights_KP, launched.rows.weights_KP, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("chain", CHAINS)
@pytest.mark.parametrize("input_size", ["DT", "dT"])
def test_first_steps_match_cpu(chain: str, input_size: str, device: torch.device) -> None:
    cpu = StackedTrainings(trainings(chain, input_size, 3, torch.device("cpu")))
    gpu = StackedTrainings(trainings(chain, input_size, 3, device))
    assert_close(losses(gpu).cpu(), losses(cpu), rtol=1e-3, atol=1e-4)


def test_losses_side_by_side_equal_losses_alone(device: torch.device) -> None:
    together = losses(StackedTrainings(trainings(CHAINS[0], "DT", 3, device)))
    for number, training in enumerate(trainings(CHAINS[0], "DT", 3, device)):
        assert_close(losses(StackedTrainings([training]))[:, 0], together[:, number], rtol=1e-3, atol=1e-4)


def test_gpu_draws_same_random_numbers_as_cpu(device: torch.device) -> None:
    shape = (3, 1000, 7)
    on_gpu, on_cpu = (draw(key_of(2**32 - 5, where), shape) for where in (device, torch.device("cpu")))
    assert torch.equal(on_gpu.cpu(), on_cpu)


def test_restored_training_continues_identically(device: torch.device) -> None:
    val = swinging(32, seed=2, max_spikes=1)

    def curve(steps: Callable[[], list[Training]]) -> list[float]:
        (training,) = steps()
        return [evaluation.co_bps for evaluation in fit(training, val)]

    whole = curve(lambda: trainings(CHAINS[0], "DT", 1, device))
    (stopped,) = trainings(CHAINS[0], "DT", 1, device)
    first = next(iter(fit(stopped, val))).co_bps
    (resumed,) = trainings(CHAINS[0], "DT", 1, device)
    resumed.restore(stopped.state())
    assert_close(torch.tensor([first, *(p.co_bps for p in fit(resumed, val))]), torch.tensor(whole), rtol=0, atol=2e-3)
