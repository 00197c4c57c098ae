"""Repeated steps are not captured on a CPU; tests/gpu covers GPUs."""

import torch
from torch.testing import assert_close

from nlb_search.models.training.cuda_graphs import CapturedStep


def test_cpu_calls_are_not_captured() -> None:
    total = torch.zeros(3)
    repeated = CapturedStep()
    results = [repeated(lambda given: total.add_(given).clone(), torch.full((3,), float(call))) for call in range(5)]
    assert_close(results[-1], torch.full((3,), 0.0 + 1 + 2 + 3 + 4))
    assert_close(total, results[-1])
