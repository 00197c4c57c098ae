"""Every row of networks is updated as by torch's Adam or AdamW, LinearLR and gradient clipping."""

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from nlb_search.models.training.learning_rate_schedule import FIRST_SHARE, WARM_UP_STEPS
from nlb_search.models.training.optimizer import (
    BETA1,
    BETA2,
    EPSILON,
    GRADIENT_NORM,
    OptimizerSettings,
    OptimizerState,
    update,
)
from nlb_search.models.training.weight_average import POWER

N_WEIGHTS = 30
LR = torch.tensor([0.01, 0.0003, 0.05, 0.002, 0.005, 0.02], dtype=torch.float64)
L2_WEIGHT = torch.tensor([0.0, 1e-2, 5e-4, 0.3, 0.0, 0.0])
WEIGHT_DECAY = torch.tensor([0.0, 0.0, 0.0, 0.0, 1.0, 3.0])
N_DECAYING = 20
"""Number of weights that decay, the first of each row."""


def _gradients(row: int, steps: int) -> Tensor:
    """Gradients of a row in all steps, steps x weights: some with norms above the clipping threshold."""
    generator = torch.Generator().manual_seed(row)
    lengths = torch.logspace(-3, 1, steps)[torch.randperm(steps, generator=generator)].unsqueeze(1)
    return lengths * torch.randn(steps, N_WEIGHTS, generator=generator)


def _start(row: int) -> Tensor:
    return torch.randn(N_WEIGHTS, generator=torch.Generator().manual_seed(100 + row))


def _by_torch(row: int, steps: int) -> Tensor:
    """The weights of a row after every step, steps x weights."""
    decaying, constant = map(torch.nn.Parameter, _start(row).split([N_DECAYING, N_WEIGHTS - N_DECAYING]))
    l2_weight, weight_decay = L2_WEIGHT[row].item(), WEIGHT_DECAY[row].item()
    groups = [
        {"params": [decaying], "weight_decay": weight_decay or l2_weight},
        {"params": [constant], "weight_decay": l2_weight},
    ]
    optimizer = torch.optim.AdamW if weight_decay else torch.optim.Adam
    adam = optimizer(groups, betas=(BETA1, BETA2), eps=EPSILON, lr=LR[row].item())
    schedule = torch.optim.lr_scheduler.LinearLR(adam, start_factor=FIRST_SHARE, total_iters=WARM_UP_STEPS)
    seen = []
    for gradient in _gradients(row, steps):
        decaying.grad, constant.grad = gradient.clone().split([N_DECAYING, N_WEIGHTS - N_DECAYING])
        torch.nn.utils.clip_grad_norm_([decaying, constant], GRADIENT_NORM)
        adam.step()
        schedule.step()
        seen.append(torch.cat([decaying.detach(), constant.detach()]))
    return torch.stack(seen)


def _settings(rows: list[int]) -> OptimizerSettings:
    decays_P = torch.arange(N_WEIGHTS) < N_DECAYING
    return OptimizerSettings(LR[rows], L2_WEIGHT[rows], WEIGHT_DECAY[rows].unsqueeze(1) * decays_P)


def _zeros(rows: list[int]) -> OptimizerState:
    weights_KP = torch.stack([_start(row) for row in rows])
    return OptimizerState(weights_KP, *torch.zeros(2, len(rows), N_WEIGHTS), weights_KP.clone())


@pytest.mark.parametrize("steps", [1, 2, 3, 4, 7, 40, 333])
def test_steps_match_torch(steps: int) -> None:
    everyone = list(range(len(LR)))
    rows, settings = _zeros(everyone), _settings(everyone)
    gradient_SKP = torch.stack([_gradients(row, steps) for row in everyone], dim=1)
    expected_SKP = torch.stack([_by_torch(row, steps) for row in everyone], dim=1)
    done_K = torch.zeros(len(LR), dtype=torch.float64)
    for gradient_KP, expected_KP in zip(gradient_SKP, expected_SKP, strict=True):
        update(rows, gradient_KP, settings, done_K)
        done_K += 1
        assert_close(rows.weights_KP, expected_KP, atol=2e-6, rtol=1e-5)


def _closed_form_average(weights_SP: Tensor) -> Tensor:
    """The average after the last step: step t = 1, 2, ... has the weight t (t + 1) ... (t + POWER - 1)."""
    steps = torch.arange(1, len(weights_SP) + 1, dtype=torch.float64)
    share_S = torch.stack([steps + k for k in range(POWER)]).prod(dim=0)
    return (share_S @ weights_SP.double() / share_S.sum()).float()


@pytest.mark.parametrize("steps", [1, 2, 60])
def test_average_matches_closed_form(steps: int) -> None:
    rows, settings, seen = _zeros([0, 3]), _settings([0, 3]), []
    for step in range(steps):
        gradient_KP = torch.stack([_gradients(row, steps)[step] for row in (0, 3)])
        update(rows, gradient_KP, settings, torch.full((2,), float(step), dtype=torch.float64))
        seen.append(rows.weights_KP.clone())
    for row in (0, 1):
        assert_close(rows.average_KP[row], _closed_form_average(torch.stack(seen)[:, row]), atol=1e-5, rtol=1e-4)


def test_rows_have_independent_step_counts() -> None:
    """One row has done 15 steps when the other starts."""
    steps, ahead = 40, 15
    older = _zeros([0])
    for step, gradient_P in enumerate(_gradients(0, steps)[:ahead]):
        done_K = torch.tensor([float(step)], dtype=torch.float64)
        update(older, gradient_P.unsqueeze(0), _settings([0]), done_K)
    younger = _zeros([1])
    rows = OptimizerState(
        torch.cat([older.weights_KP, younger.weights_KP]),
        torch.cat([older.mean_KP, younger.mean_KP]),
        torch.cat([older.square_KP, younger.square_KP]),
        torch.cat([older.average_KP, younger.average_KP]),
    )
    for step in range(steps - ahead):
        gradient_KP = torch.stack([_gradients(0, steps)[ahead + step], _gradients(1, steps)[step]])
        done_K = torch.tensor([ahead + step, step], dtype=torch.float64)
        update(rows, gradient_KP, _settings([0, 1]), done_K)
    expected_KP = torch.stack([_by_torch(0, steps)[-1], _by_torch(1, steps)[steps - ahead - 1]])
    assert_close(rows.weights_KP, expected_KP, atol=2e-6, rtol=1e-5)


def test_non_finite_row_does_not_affect_others() -> None:
    rows, alone = _zeros([0, 1]), _zeros([1])
    gradient_KP = torch.stack([torch.full((N_WEIGHTS,), torch.nan), _gradients(1, 5)[0]])
    update(rows, gradient_KP, _settings([0, 1]), torch.zeros(2, dtype=torch.float64))
    update(alone, gradient_KP[1:], _settings([1]), torch.zeros(1, dtype=torch.float64))
    assert_close(rows.weights_KP[1], alone.weights_KP[0])
    assert_close(rows.average_KP[1], alone.average_KP[0])
