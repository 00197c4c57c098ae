"""When a training is over."""

import pytest

from nlb_search.models.training.training_plan import TrainingPlan


@pytest.mark.parametrize(
    ("epochs", "epoch", "best_epoch", "is_over"),
    [
        (100, 100, 99, True),  # all epochs are done
        (100, 60, 40, False),  # half of the epochs to the best evaluation
        (100, 61, 40, True),
        (100, 14, 4, False),  # at least a tenth of the plan
        (100, 15, 4, True),
        (12, 6, 1, False),  # at least five epochs
        (12, 7, 1, True),
    ],
)
def test_training_ends_without_improvement(epochs: int, epoch: int, best_epoch: int, is_over: bool) -> None:
    assert TrainingPlan(epochs=epochs).is_over(epoch, best_epoch) == is_over
