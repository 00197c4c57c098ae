"""Trainings side by side give the same results as alone."""

from collections.abc import Callable
from dataclasses import replace
from itertools import islice
from typing import Any
from weakref import WeakSet

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from nlb_search.models.architecture.chain import parse_chain
from nlb_search.models.architecture.network import predict
from nlb_search.models.errors import DivergedError, InterruptedTrainingError
from nlb_search.models.hyperparameters import Hyperparameters
from nlb_search.models.masking import masks
from nlb_search.models.training.stacked_trainings import StackedTrainings
from nlb_search.models.training.trainer import Trainer, ValScorer, fit
from nlb_search.models.training.training import Evaluation, Training
from nlb_search.models.training.training_plan import TrainingPlan
from tests.helpers.recordings.population import swinging

CPU = torch.device("cpu")
TRAIN, VAL = swinging(24, seed=1, max_spikes=1), swinging(16, seed=2, max_spikes=1)
PLAN = TrainingPlan(epochs=4, batch_size=12)
NEIGHBOURS: tuple[dict[str, Any], ...] = (
    {"hidden": 5, "lr": 0.02, "dropout": 0.5, "mask_variant": "dot line", "mask_ratio": 0.3},
    {
        "hidden": 9,
        "lr": 0.005,
        "dropout": 0.0,
        "mask_variant": "strip L",
        "mask_ratio": 0.2,
        "l2_weight": 1e-3,
        "weight_decay": 2.0,
    },
    {"hidden": 2, "lr": 0.01, "dropout": 0.2, "mask_variant": "dot", "mask_ratio": 0.5},
)
CHAINS = (
    "GRU(2) -> FF -> exp",
    "minGRU(2) -> FF -> exp",
    "LRU(2) -> FF -> exp",
    "GRU -> FF -> RoBERTa(1) -> FF -> exp",
    "Conv -> Trans -> Deconv -> exp",
    "Deconv -> GRU -> Deconv -> FF -> Sigmoid",
    "GRU -> Conv -> minGRU -> Conv(smooth) -> FF -> exp",
)


def _training(chain: str, seed: int, plan: TrainingPlan = PLAN, **settings: Any) -> Training:
    return Training(parse_chain(chain), Hyperparameters(**settings), plan, TRAIN, seed, CPU)


class _Steps:
    """Counts the steps of a trainer, which checks before each whether it is interrupted."""

    def __init__(self) -> None:
        self.asked = 0

    def __call__(self) -> bool:
        self.asked += 1
        return False


def _together(trainings: list[Training], *, fit_in_memory: bool = True) -> list[list[Evaluation | Exception]]:
    """What came of each training, evaluation after evaluation, until all are done or of no more use.

    Trainings of one kind take each step together, or this fails: they are not silently trained alone, unless they do
    not all fit in memory.
    """
    trainer, steps = Trainer(ValScorer(VAL)), _Steps()
    seen: list[list[Evaluation | Exception]] = [[] for _ in trainings]
    going = list(range(len(trainings)))
    while going:
        before, steps.asked = [training.epoch for training in trainings], 0
        outcomes = trainer.advance([trainings[index] for index in going], steps)
        epochs: dict[Any, int] = {}
        for training, epoch in zip(trainings, before, strict=True):
            epochs[training.kind] = max(epochs.get(training.kind, 0), training.epoch - epoch)
        assert not fit_in_memory or steps.asked == sum(epochs.values()) * PLAN.steps_per_epoch(TRAIN.n_trials)
        for index, outcome in zip(going, outcomes, strict=True):
            seen[index].append(outcome)
            if isinstance(outcome, Evaluation):
                trainings[index].keep_if_best(outcome)
        going = [i for i in going if isinstance(seen[i][-1], Evaluation) and not trainings[i].is_done]
    return seen


def _assert_same(
    ours: Training, seen: list[Evaluation | Exception], alone: Training, expected: list[Evaluation]
) -> None:
    for evaluation, other in zip(seen, expected, strict=True):
        assert isinstance(evaluation, Evaluation)
        assert evaluation.epoch == other.epoch
        for field in ("loss", "co_bps", "fp_bps"):
            assert getattr(evaluation, field) == pytest.approx(getattr(other, field), abs=1e-4)
    # Not weight by weight: gradients of the key biases are only rounding errors, which Adam amplifies.
    heldin_BWI = VAL.heldin_BWI
    assert_close(predict(ours.network, heldin_BWI), predict(alone.network, heldin_BWI), atol=1e-4, rtol=1e-3)
    assert ours.best is not None
    assert alone.best is not None
    assert ours.best.evaluation.epoch == alone.best.evaluation.epoch


@pytest.mark.parametrize("chain", CHAINS)
@pytest.mark.parametrize("input_size", ["DT", "dT"])
def test_trainings_with_any_settings_and_epochs_equal_single_trainings(chain: str, input_size: str) -> None:
    alone = [_training(chain, seed, input_size=input_size, **hyper) for seed, hyper in enumerate(NEIGHBOURS)]
    expected = [list(fit(training, VAL)) for training in alone]

    first, second, older = (
        _training(chain, seed, input_size=input_size, **hyper) for seed, hyper in enumerate(NEIGHBOURS)
    )
    cut = _training(chain, 2, input_size=input_size, **NEIGHBOURS[2])
    begun = fit(cut, VAL)
    before = [next(begun), next(begun)]
    older.restore(cut.state())

    seen = _together([first, second, older])
    _assert_same(first, seen[0], alone[0], expected[0])
    _assert_same(second, seen[1], alone[1], expected[1])
    _assert_same(older, [*before, *seen[2]], alone[2], expected[2])


def _assert_as_alone(make: Callable[[], list[Training]], restored_after: int) -> list[list[Evaluation]]:
    """The trainings give the same side by side as alone, also the second, which is restored after so many evaluations.

    Returns what each gives.
    """
    alone, ours, cut = make(), make(), make()[1]
    expected = [list(fit(training, VAL)) for training in alone]
    before = list(islice(fit(cut, VAL), restored_after))
    ours[1].restore(cut.state())
    seen = _together(ours)
    seen[1] = [*before, *seen[1]]
    for of_ours, of_alone in zip(zip(ours, seen, strict=True), zip(alone, expected, strict=True), strict=True):
        _assert_same(*of_ours, *of_alone)
    return expected


def test_contrastive_trainings_equal_single_trainings() -> None:
    """Those without the loss are trained apart, because it needs a second pass."""
    chain = "FF -> STNDT(1) -> FF -> exp"

    def make() -> list[Training]:
        weights = (0.3, 0.1, 0.0)
        return [_training(chain, seed, contrastive_weight=weight) for seed, weight in enumerate(weights)]

    first, *_ = _assert_as_alone(make, restored_after=2)
    assert first[0].loss > next(fit(_training(chain, 0), VAL)).loss + 0.1


def test_spans_become_longer_with_the_steps_of_each_training(monkeypatch: pytest.MonkeyPatch) -> None:
    """The restored training is in its seventh step when the other is in its first."""
    monkeypatch.setattr(masks, "RAMP_START", 1)
    monkeypatch.setattr(masks, "RAMP_END", 6)

    def make() -> list[Training]:
        return [_training("GRU(2) -> FF -> exp", seed, mask_variant="span", mask_ratio=0.4) for seed in range(2)]

    _assert_as_alone(make, restored_after=3)


def test_trainings_with_different_evaluation_intervals_equal_single_trainings() -> None:
    """The restored training is one epoch before its last evaluation, and the others two before their next."""
    plan = replace(PLAN, epochs=5, evaluate_every=2)

    def make() -> list[Training]:
        return [_training("GRU(2) -> FF -> exp", seed, plan, **hyper) for seed, hyper in enumerate(NEIGHBOURS)]

    alone = make()
    expected = [list(fit(training, VAL)) for training in alone]
    ours = make()
    cut = make()[0]
    before = list(islice(fit(cut, VAL), 2))
    assert cut.epoch == 4
    ours[0].restore(cut.state())
    seen = _together(ours)
    _assert_same(ours[0], [*before, *seen[0]], alone[0], expected[0])
    _assert_same(ours[1], seen[1], alone[1], expected[1])
    _assert_same(ours[2], seen[2], alone[2], expected[2])


@pytest.mark.parametrize("chain", ["GRU(2) -> FF -> exp", "minGRU -> FF -> RoBERTa(1) -> FF -> exp"])
def test_diverging_training_does_not_affect_others(chain: str) -> None:
    alone = [_training(chain, seed, **NEIGHBOURS[seed]) for seed in (0, 2)]
    expected = [list(fit(training, VAL)) for training in alone]
    first, lost, other = (_training(chain, seed, **hyper) for seed, hyper in enumerate(NEIGHBOURS))
    lost.hyper = replace(lost.hyper, lr=1e30)
    seen = _together([first, lost, other])
    assert [type(outcome) for outcome in seen[1]] == [DivergedError]
    assert "the loss became" in str(seen[1][0])
    _assert_same(first, seen[0], alone[0], expected[0])
    _assert_same(other, seen[2], alone[1], expected[1])


def test_interrupted_trainings_resume_at_an_epoch_boundary() -> None:
    chain = "GRU(2) -> FF -> exp"
    alone = [_training(chain, seed, **hyper) for seed, hyper in enumerate(NEIGHBOURS)]
    expected = [list(fit(training, VAL)) for training in alone]
    ours = [_training(chain, seed, **hyper) for seed, hyper in enumerate(NEIGHBOURS)]
    trainer = Trainer(ValScorer(VAL))
    before = trainer.advance(ours)
    asked = iter([False, True])
    interrupted = trainer.advance(ours, lambda: next(asked))
    assert [type(outcome) for outcome in interrupted] == [InterruptedTrainingError] * 3
    assert [training.epoch for training in ours] == [1, 1, 1]
    after = [trainer.advance(ours) for _ in range(3)]
    for index, training in enumerate(ours):
        seen = [before[index], *(outcomes[index] for outcomes in after)]
        for evaluation in seen:
            assert isinstance(evaluation, Evaluation)
            training.keep_if_best(evaluation)
        _assert_same(training, seen, alone[index], expected[index])


def test_trainings_of_several_kinds_advance_in_one_call() -> None:
    def make() -> list[Training]:
        return [
            _training("GRU(2) -> FF -> exp", 0, hidden=4),
            _training("FF -> exp", 1),
            _training("GRU(2) -> FF -> exp", 2, hidden=6),
            _training("GRU(2) -> FF -> exp", 3, hidden=6, input_size="dT"),
        ]

    alone, ours = make(), make()
    expected = [list(fit(training, VAL)) for training in alone]
    for training, seen, other, evaluation in zip(ours, _together(ours), alone, expected, strict=True):
        _assert_same(training, seen, other, evaluation)


@pytest.mark.parametrize("plan", [PLAN, replace(PLAN, epochs=5, evaluate_every=2)])
def test_trainings_are_scored_alone_when_scoring_together_fails(
    plan: TrainingPlan, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = ValScorer.scores_of

    def scarce(val: ValScorer, stacked: StackedTrainings) -> Tensor:
        if len(stacked.trainings) > 1:
            raise MemoryError
        return real(val, stacked)

    def make() -> list[Training]:
        return [_training("FF -> exp", seed, plan) for seed in range(2)]

    alone, ours = make(), make()
    expected = [list(fit(training, VAL)) for training in alone]
    monkeypatch.setattr(ValScorer, "scores_of", scarce)
    for training, seen, other, evaluation in zip(
        ours, _together(ours, fit_in_memory=False), alone, expected, strict=True
    ):
        _assert_same(training, seen, other, evaluation)


def test_one_group_holds_memory_after_a_failure(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    laid: WeakSet[StackedTrainings] = WeakSet()

    class Scarce(StackedTrainings):
        """Fails if all allocated groups together hold more than three trainings, like a full GPU memory."""

        def train_epoch(self, interrupted: Callable[[], bool]) -> Tensor | None:
            laid.add(self)
            if sum(len(together.trainings) for together in laid) > 3:
                raise MemoryError("a GPU would be out of memory. And so on")
            return super().train_epoch(interrupted)

    def make() -> list[Training]:
        kinds = [("FF -> exp", 5), ("GRU -> FF -> exp", 1), ("minGRU -> FF -> exp", 3)]
        return [_training(chain, seed, hidden=4) for chain, number in kinds for seed in range(number)]

    alone, ours = make(), make()
    expected = [list(fit(training, VAL)) for training in alone]
    monkeypatch.setattr("nlb_search.models.training.trainer.StackedTrainings", Scarce)
    for training, seen, other, evaluation in zip(
        ours, _together(ours, fit_in_memory=False), alone, expected, strict=True
    ):
        _assert_same(training, seen, other, evaluation)


def _kind(chain: str, **settings: Any) -> tuple[Any, ...]:
    return _training(chain, 0, **settings).kind


@pytest.mark.parametrize(
    "changed",
    [
        {"hidden": 7},
        {"lr": 0.5},
        {"dropout": 0.0},
        {"l2_weight": 1e-3},
        {"weight_decay": 1.0},
        {"mask_variant": "strip", "mask_ratio": 0.6},
    ],
)
def test_numeric_settings_share_a_kind(changed: dict[str, Any]) -> None:
    assert _kind("GRU(2) -> FF -> RoBERTa(1) -> FF -> exp", **changed) == _kind(
        "GRU(2) -> FF -> RoBERTa(1) -> FF -> exp"
    )


@pytest.mark.parametrize("changed", [{"num_layers": 3}, {"bidirectional": False}, {"input_size": "dT"}])
def test_structural_settings_have_different_kinds(changed: dict[str, Any]) -> None:
    assert _kind("GRU(2) -> FF -> exp", **changed) != _kind("GRU(2) -> FF -> exp")


@pytest.mark.parametrize(
    "other", ["GRU(1) -> FF -> exp", "minGRU(2) -> FF -> exp", "GRU(2) -> FF -> Sigmoid", "GRU(2) -> FF -> FF -> exp"]
)
def test_chains_have_different_kinds(other: str) -> None:
    assert _kind(other) != _kind("GRU(2) -> FF -> exp")


@pytest.mark.parametrize("block", ["RoBERTa(1)", "Trans(1)"])
def test_attention_kind_depends_on_hidden(block: str) -> None:
    """Its heads and norms feel every channel; one over the neurons, which are the same for all, does not."""
    chain = f"GRU -> {block} -> FF -> exp"
    assert _kind(chain, hidden=8) != _kind(chain, hidden=12)
    assert _kind(chain, hidden=8, lr=0.1) == _kind(chain, hidden=8)
    chain = f"GRU -> FF -> {block} -> FF -> exp"
    assert _kind(chain, hidden=8) == _kind(chain, hidden=12)


def test_padded_channels_stay_zero() -> None:
    """So what is cut off when a network is taken out from among wider ones was nothing."""
    trainings = [
        _training("GRU(2) -> Conv -> FF -> exp", seed, hidden=hidden, lr=0.05) for seed, hidden in ((0, 3), (1, 8))
    ]
    stacked = StackedTrainings(trainings)
    for _ in range(3):
        assert stacked.train_epoch(lambda: False) is not None
    rows = stacked.rows
    for rows_KP in (rows.weights_KP, rows.mean_KP, rows.square_KP):
        packed_KP = stacked.layout.pack(stacked.layout.unpack(rows_KP))
        assert torch.equal(packed_KP, rows_KP)
        assert (packed_KP[0] == 0).sum() > (packed_KP[1] == 0).sum()
