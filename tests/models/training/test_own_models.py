"""Users' models are trained like chains, side by side or alone, and resume exactly; so do trials of any batch size."""

from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.testing import assert_close

from nlb_search.models.architecture.architectures import parse_architecture
from nlb_search.models.architecture.network import predict
from nlb_search.models.hyperparameters import Hyperparameters
from nlb_search.models.training.stacked_trainings import StackedTrainings
from nlb_search.models.training.trainer import Trainer, ValScorer, fit
from nlb_search.models.training.training import Evaluation, Training
from nlb_search.models.training.training_plan import TrainingPlan
from tests.helpers.recordings.population import swinging

CPU = torch.device("cpu")
TRAIN, VAL = swinging(24, seed=1), swinging(16, seed=2)
PLAN = TrainingPlan(epochs=4, batch_size=12)
TCN: dict[str, Any] = {"channels": 16, "layers": 2, "kernel": 3, "dropout": 0.2}
LFADS: dict[str, Any] = {"hidden": 32, "inputs": 2, "kl_weight": 0.5}


@pytest.fixture(autouse=True)
def _examples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(Path(__file__).parents[3] / "docs" / "examples")


def _training(architecture: str, seed: int, own: dict[str, Any] | None = None, **settings: Any) -> Training:
    hyper = Hyperparameters(own=own or {}, **settings)
    return Training(parse_architecture(architecture), hyper, PLAN, TRAIN, seed, CPU)


def _together(trainings: list[Training]) -> list[list[Evaluation]]:
    trainer = Trainer(ValScorer(VAL))
    seen: list[list[Evaluation]] = [[] for _ in trainings]
    while running := [training for training in trainings if not training.is_done]:
        for training, outcome in zip(running, trainer.advance(running), strict=True):
            assert isinstance(outcome, Evaluation), outcome
            seen[trainings.index(training)].append(outcome)
    return seen


def test_trials_of_one_model_train_side_by_side_as_alone() -> None:
    def make() -> list[Training]:
        return [
            _training("tcn:TCN", 0, TCN, lr=0.02, mask_variant="dot line"),
            _training("tcn:TCN", 1, TCN, lr=0.005, mask_ratio=0.5),
            _training("tcn:TCN", 2, TCN | {"layers": 3}),
            _training("tcn:TCN", 3, TCN, input_size="dT"),
            _training("FF -> exp", 4),
        ]

    alone, ours = make(), make()
    kinds = [training.kind for training in ours]
    assert kinds[0] == kinds[1]
    assert len(set(kinds)) == 4
    expected = [list(fit(training, VAL)) for training in alone]
    for seen, evaluations in zip(_together(ours), expected, strict=True):
        assert [one.co_bps for one in seen] == pytest.approx([one.co_bps for one in evaluations], abs=1e-4)
        assert [one.loss for one in seen] == pytest.approx([one.loss for one in evaluations], abs=1e-4)


def test_constants_of_each_network_are_its_own() -> None:
    def make() -> list[Training]:
        return [_training("own_nets:Remembering", seed) for seed in (0, 1)]

    ours = make()
    assert ours[0].kind == ours[1].kind
    expected = [list(fit(training, VAL)) for training in make()]
    for seen, evaluations in zip(_together(ours), expected, strict=True):
        assert [one.co_bps for one in seen] == pytest.approx([one.co_bps for one in evaluations], abs=1e-4)


def test_model_that_vmap_cannot_run_is_trained_alone() -> None:
    ours = [_training("lfads:LFADS", 0, LFADS) for _ in range(2)]
    assert ours[0].kind != ours[1].kind
    first, second = _together(ours)
    assert first == second == list(fit(_training("lfads:LFADS", 0, LFADS), VAL))


def test_batch_sizes_train_next_to_each_other_as_alone() -> None:
    def make() -> list[Training]:
        return [_training("FF -> exp", seed, batch_size=size) for seed, size in enumerate((None, 12, 5, 24, 5))]

    alone, ours = make(), make()
    assert len({training.kind for training in ours}) == 3
    assert [training.plan.steps_per_epoch(24) for training in ours] == [2, 2, 5, 1, 5]
    expected = [list(fit(training, VAL)) for training in alone]
    for seen, evaluations in zip(_together(ours), expected, strict=True):
        assert [one.co_bps for one in seen] == pytest.approx([one.co_bps for one in evaluations], abs=1e-4)


@pytest.mark.parametrize(
    ("architecture", "own"), [("tcn:TCN", TCN), ("lfads:LFADS", LFADS), ("own_nets:Remembering", {})]
)
def test_resumed_training_is_the_same(architecture: str, own: dict[str, Any]) -> None:
    whole = _training(architecture, 3, own)
    expected = list(fit(whole, VAL))
    first = _training(architecture, 3, own)
    seen = list(islice(fit(first, VAL), 2))
    torch.rand(1)  # another use of the generator
    second = _training(architecture, 3, own)
    second.restore(first.state())
    assert [*seen, *fit(second, VAL)] == expected
    assert whole.best is not None
    assert second.best is not None
    loaded = _training(architecture, 99, own).network
    loaded.load_state_dict(second.best.weights)
    whole.network.load_state_dict(whole.best.weights)
    assert torch.equal(predict(loaded, VAL.heldin_BWI), predict(whole.network, VAL.heldin_BWI))


def test_loss_of_the_model_is_part_of_the_training_loss() -> None:
    """With the same draws, the losses of the first step differ by the weighted divergence."""

    def first_loss(kl_weight: float) -> float:
        training = _training("lfads:LFADS", 0, {"hidden": 32, "kl_weight": kl_weight})
        losses_SK = StackedTrainings([training]).train_epoch(lambda: False)
        assert losses_SK is not None
        return losses_SK[0].item()

    none, half, whole = map(first_loss, (0.0, 0.5, 1.0))
    assert whole > none
    assert_close(whole - none, 2 * (half - none), rtol=1e-3, atol=1e-6)
