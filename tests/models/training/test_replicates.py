"""Replicates have one score, the mean of theirs, which decides what all of them keep and when they end."""

import pytest
import torch
from torch.testing import assert_close

from nlb_search.models.architecture.chain import parse_chain
from nlb_search.models.errors import DivergedError
from nlb_search.models.hyperparameters import Hyperparameters
from nlb_search.models.tensors import Counts, Sizes
from nlb_search.models.training.replicates import Replicates
from nlb_search.models.training.training import Evaluation, Training
from nlb_search.models.training.training_plan import LEAST_PATIENCE_EPOCHS, TrainingPlan

SIZES = Sizes(n_heldin=4, n_heldout=2, n_window=5, n_forward=2)
TRAIN = Counts(torch.ones(6, 7, 6, dtype=torch.uint8), SIZES)
EPOCHS = 20


def _replicates(seeds: tuple[int, ...] = (0, 1)) -> Replicates:
    chain, plan = parse_chain("FF -> exp"), TrainingPlan(epochs=EPOCHS)
    return Replicates([Training(chain, Hyperparameters(), plan, TRAIN, seed, torch.device("cpu")) for seed in seeds])


def _score(replicates: Replicates, *co_bps: float) -> Evaluation | Exception:
    """Give the replicates these scores in their next epoch, with weights that are the number of the epoch."""
    for training in replicates.trainings:
        training.epoch += 1
        for weight in training.average.values():
            weight.fill_(training.epoch)
    return replicates.evaluated([Evaluation(replicates.epoch, 1.0, score, score / 2) for score in co_bps])


def test_all_keep_the_networks_of_the_best_mean() -> None:
    replicates = _replicates()
    assert _score(replicates, 0.1, 0.5) == Evaluation(1, 1.0, pytest.approx(0.3), pytest.approx(0.15))
    _score(replicates, 0.5, 0.3)
    _score(replicates, 0.6, 0.1)  # the best of the first network alone
    assert [best.evaluation.epoch for best in replicates.best] == [2, 2]
    assert {float(weight.max()) for best in replicates.best for weight in best.weights.values()} == {2.0}


def test_one_epoch_ends_all() -> None:
    replicates = _replicates()
    _score(replicates, 0.5, 0.5)
    for score in torch.linspace(0.5, 0.6, LEAST_PATIENCE_EPOCHS).tolist():
        assert not replicates.is_done
        _score(replicates, score, 0.0)
    assert not replicates.is_done
    _score(replicates, 0.7, 0.0)  # the first still improves, the mean does not
    assert replicates.is_done


def test_an_error_of_one_is_that_of_all() -> None:
    replicates = _replicates()
    diverged = DivergedError("the loss became nan")
    assert replicates.evaluated([Evaluation(1, 1.0, 0.5, None), diverged]) is diverged
    assert replicates.best == ()


def test_restored_replicates_are_the_same() -> None:
    replicates, restored = _replicates((0, 1, 2)), _replicates((3, 4, 5))
    _score(replicates, 0.1, 0.2, 0.3)
    for training in replicates.trainings[1:]:
        training.average["offset_N"].fill_(training.seed)
    restored.restore(replicates.state())
    assert restored.epoch == 1
    for training, other in zip(replicates.trainings, restored.trainings, strict=True):
        assert_close(other.weights, training.weights, rtol=0, atol=0)
        assert_close(other.average, training.average, rtol=0, atol=0)
        assert other.best is not None
        assert other.best.evaluation.co_bps == pytest.approx(0.2)


def test_a_state_of_fewer_networks_is_rejected() -> None:
    with pytest.raises((KeyError, RuntimeError)):
        _replicates((0, 1)).restore(_replicates((0,)).state())
