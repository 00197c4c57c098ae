import os

import pytest

from nlb_search.search.launching import slots
from nlb_search.search.launching.slots import make_slots


@pytest.mark.parametrize("cores", [1, 2, 16])
@pytest.mark.parametrize("workers", [None, 1, 2, 5])
def test_cpu_slots(cores: int, workers: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slots, "usable_cores", lambda: cores)
    made = make_slots([], per_gpu=1, workers=workers)
    assert len(made) == (workers or cores)
    assert all(slot.environment["OMP_NUM_THREADS"] == "1" for slot in made)
    assert all(slot.environment["CUDA_VISIBLE_DEVICES"] == "" for slot in made)


def test_gpu_slots(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slots, "usable_cores", lambda: 16)
    made = make_slots(["0", "3"], per_gpu=2, workers=None)
    assert [slot.environment["CUDA_VISIBLE_DEVICES"] for slot in made] == ["0", "3", "0", "3"]


def test_usable_cores_respects_cpu_affinity() -> None:
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(allowed)})
    try:
        assert slots.usable_cores() == 1
    finally:
        os.sched_setaffinity(0, allowed)
