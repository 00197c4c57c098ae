"""GPU memory: batches of trials that do not fit are halved, and finished trainings free their memory."""

import gc
import logging
from collections.abc import Iterator

import pytest
import torch

from nlb_search.models.architecture.chain import parse_chain
from nlb_search.models.hyperparameters import Hyperparameters
from nlb_search.models.training.trainer import Trainer, ValScorer
from nlb_search.models.training.training import Evaluation, Training
from nlb_search.models.training.training_plan import TrainingPlan
from tests.helpers.recordings.population import swinging

CHAIN = parse_chain("GRU(2) -> FF -> exp")
NUMBER = 8


def trainings(device: torch.device) -> list[Training]:
    train = swinging(256, seed=1).to(device)
    hyper = Hyperparameters(hidden=64)
    return [
        Training(CHAIN, hyper, TrainingPlan(epochs=2, batch_size=32), train, seed, device) for seed in range(NUMBER)
    ]


@pytest.fixture
def val(device: torch.device) -> ValScorer:
    return ValScorer(swinging(64, seed=2).to(device))


@pytest.fixture
def whole_gpu() -> Iterator[None]:
    yield
    torch.cuda.set_per_process_memory_fraction(1.0)


def peak(device: torch.device, val: ValScorer, begun: list[Training]) -> int:
    """Additional bytes that torch reserves to train these."""
    gc.collect()
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats(device)
    before = torch.cuda.memory_reserved()
    Trainer(val).advance(begun)
    return torch.cuda.max_memory_reserved() - before


@pytest.mark.usefixtures("whole_gpu")
@pytest.mark.parametrize("share", [0.3, 0.6, 0.8, 0.95])
def test_batch_that_does_not_fit_is_halved(
    share: float, device: torch.device, val: ValScorer, caplog: pytest.LogCaptureFixture
) -> None:
    needed = peak(device, val, trainings(device))
    expected = Trainer(val).advance(trainings(device))
    begun = trainings(device)
    gc.collect()
    torch.cuda.empty_cache()
    total = torch.cuda.get_device_properties(device).total_memory
    torch.cuda.set_per_process_memory_fraction((torch.cuda.memory_reserved() + share * needed) / total)
    with caplog.at_level(logging.WARNING):
        outcomes = Trainer(val).advance(begun)
    for outcome, wanted in zip(outcomes, expected, strict=True):
        assert isinstance(outcome, Evaluation), outcome
        assert isinstance(wanted, Evaluation)
        assert abs(outcome.co_bps - wanted.co_bps) < 2e-3
    if share < 0.5:
        assert "cannot be trained side by side" in caplog.text


def test_finished_trainings_free_their_memory(device: torch.device, val: ValScorer) -> None:
    trainer, held = Trainer(val), []
    for _ in range(4):
        trainer.advance(trainings(device))
        trainer.advance([])
        gc.collect()
        held.append(torch.cuda.memory_allocated())
    assert held[-1] <= held[0] + 2**20
