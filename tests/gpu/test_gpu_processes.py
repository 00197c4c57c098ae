"""The processes of an export or a rescoring can use a GPU: the process that they are forked from has not."""

import torch

from nlb_search.search.launching.process_pool import run_in_slots
from nlb_search.search.launching.slots import Slot
from nlb_search.search.workers.shutdown import Stop


def _on_gpu(number: int) -> tuple[float, int]:
    return float(torch.full((3,), number, device="cuda").sum()), torch.cuda.device_count()


def test_each_process_of_a_pool_uses_the_gpu_of_its_slot() -> None:
    slots = [Slot(0, "0"), Slot(1, "0")]
    results = dict(run_in_slots(_on_gpu, range(4), slots, Stop(), group_of=lambda job: job))
    assert results == {number: (3.0 * number, 1) for number in range(4)}
