"""Inputs and losses of a single training step."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.testing import assert_close

from nlb_search.models.architecture.chain import parse_chain
from nlb_search.models.hyperparameters import Hyperparameters
from nlb_search.models.masking.crops import window_bins
from nlb_search.models.masking.variant_names import PUBLISHED_VARIANTS, SHAPES
from nlb_search.models.tensors import UNSEEN
from nlb_search.models.training.trainer import fit, train_through
from nlb_search.models.training.training import Training
from nlb_search.models.training.training_plan import TrainingPlan
from tests.helpers.recordings.population import SIZES, counts_of, swinging

CPU = torch.device("cpu")
TRIALS, RATIO = 14, 0.3
CODES_BWI = torch.arange(1, TRIALS * SIZES.n_window + 1).reshape(TRIALS, SIZES.n_window, 1).expand(-1, -1, 8)
"""Held-in counts that are all different from one trial and bin to another, and never 0: a network's input tells
which entry each number is, and a 0 in it is a hidden or an unknown entry."""
assert CODES_BWI.max() < UNSEEN


@dataclass(frozen=True)
class Step:
    """Input and output of a network, and the loss."""

    input_BWI: Tensor
    bins_BT: Tensor
    output_BTN: Tensor
    loss: float


class _Look(torch.autograd.Function):
    """Writes down tensors as they are beneath ``torch.vmap``; gives nothing of use."""

    @staticmethod
    def forward(write: Callable[[list[Tensor]], None], *tensors: Tensor) -> Tensor:
        write([tensor.clone() for tensor in tensors])
        return torch.zeros(1)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        pass

    @staticmethod
    def vmap(
        info: Any, in_dims: tuple[int | None, ...], write: Callable[[list[Tensor]], None], *tensors: Tensor
    ) -> tuple[Tensor, None]:
        """Only a single network is recorded."""
        assert info.batch_size == 1
        alone = (t if dim is None else t.select(dim, 0) for t, dim in zip(tensors, in_dims[1:], strict=True))
        return _Look.apply(write, *alone), None


def _target() -> Tensor:
    """Held-in codes in the window, and other counts to predict; some are unknown."""
    target_BTN = swinging(TRIALS, seed=1).target_BTN
    target_BTN[:, : SIZES.n_window, : SIZES.n_heldin] = CODES_BWI
    target_BTN[torch.rand(target_BTN.shape, generator=torch.Generator().manual_seed(3)) < 0.1] = torch.nan
    return target_BTN


def _step(target_BTN: Tensor, variant: str = "dot line", input_size: str = "DT") -> Step:
    """The first step of a training, on all trials at once."""
    hyper = Hyperparameters(hidden=8, mask_variant=variant, mask_ratio=RATIO, input_size=input_size)
    train = counts_of(target_BTN, SIZES.n_window, SIZES.n_heldin)
    training = Training(
        parse_chain("GRU -> FF -> exp"), hyper, TrainingPlan(epochs=1, batch_size=TRIALS), train, 5, CPU
    )
    seen: list[Tensor] = []

    def look(_: nn.Module, inputs: tuple[Tensor, Tensor], output_BTN: Tensor) -> None:
        _Look.apply(seen.extend, *(tensor.detach() for tensor in (*inputs, output_BTN)))

    training.network.register_forward_hook(look)
    loss = next(fit(training, train)).loss
    return Step(*seen[:3], loss)


def _trials(step: Step) -> Tensor:
    """The trial of each row of a step's input."""
    code_B = (step.input_BWI * (1 - RATIO)).round().long().amax(dim=(1, 2))
    return (code_B - 1) // SIZES.n_window


every_variant = pytest.mark.parametrize("variant", [*SHAPES, *PUBLISHED_VARIANTS])
both_sizes = pytest.mark.parametrize("input_size", ["DT", "dT"])


@every_variant
@both_sizes
def test_step_reads_visible_entries_of_every_trial_once(variant: str, input_size: str) -> None:
    target_BTN = _target()
    step = _step(target_BTN, variant, input_size)
    trials_B = _trials(step)
    assert sorted(trials_B.tolist()) == list(range(TRIALS))
    assert step.input_BWI.shape[1] == window_bins(input_size, SIZES)
    read_BW = step.bins_BT[:, : window_bins(input_size, SIZES)]
    codes_BWI = target_BTN[trials_B.unsqueeze(1), read_BW][..., : SIZES.n_heldin]
    known_BWI = ~torch.isnan(codes_BWI)
    assert_close(step.input_BWI, torch.where(step.input_BWI == 0, 0, codes_BWI / (1 - RATIO)))
    assert (step.input_BWI[~known_BWI] == 0).all()
    assert 0 < (step.input_BWI[known_BWI] == 0).float().mean() < 2 * RATIO


@every_variant
@both_sizes
def test_step_is_scored_on_masked_held_out_and_forward_entries(variant: str, input_size: str) -> None:
    """The loss is the mean over exactly these, where the count is known; what is visible does not count."""
    target_BTN = _target()
    step = _step(target_BTN, variant, input_size)
    n_window = window_bins(input_size, SIZES)
    counts_BTN = target_BTN[_trials(step).unsqueeze(1), step.bins_BT]
    scored_BTN = torch.ones_like(counts_BTN, dtype=torch.bool)
    scored_BTN[:, :n_window, : SIZES.n_heldin] = step.input_BWI == 0
    losses = [
        nn.functional.poisson_nll_loss(output, count, log_input=True)
        for output, count in zip(step.output_BTN[scored_BTN], counts_BTN[scored_BTN], strict=True)
        if not torch.isnan(count)
    ]
    assert step.loss == pytest.approx(torch.stack(losses).mean().item(), rel=1e-5)


def test_dropout_masks_are_independent_across_layers_and_steps() -> None:
    hyper = Hyperparameters(dropout=0.4)
    train, plan = swinging(40, seed=1), TrainingPlan(epochs=2, batch_size=40)
    training = Training(parse_chain("FF -> FF -> FF -> exp"), hyper, plan, train, 5, CPU)
    seen: list[Tensor] = []

    def look(_: nn.Module, inputs: tuple[Tensor], output: Tensor) -> None:
        _Look.apply(seen.extend, (output / inputs[0]).detach())

    for block in list(training.network.blocks)[1:]:
        block.get_submodule("dropout").register_forward_hook(look)
    train_through([training], 2)
    kept = [scale > 0 for scale in seen]
    assert len(kept) == 4
    for scale, is_kept in zip(seen, kept, strict=True):
        assert_close(scale[is_kept], torch.full_like(scale[is_kept], 1 / 0.6))
        assert is_kept.float().mean().item() == pytest.approx(0.6, abs=0.03)
    for first, second in combinations(kept, 2):
        assert (first & second).float().mean().item() == pytest.approx(0.36, abs=0.03)


@both_sizes
def test_held_out_neurons_and_forward_bins_are_never_read(input_size: str) -> None:
    target_BTN = _target()
    other_BTN = target_BTN.clone()
    other_BTN[:, : SIZES.n_window, SIZES.n_heldin :] += 3
    other_BTN[:, SIZES.n_window :] += 5
    assert torch.equal(
        _step(target_BTN, input_size=input_size).input_BWI, _step(other_BTN, input_size=input_size).input_BWI
    )
