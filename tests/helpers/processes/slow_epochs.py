"""Slow training without the CPU time of long training."""

import time

import pytest

from nlb_search.models.training.stacked_trainings import StackedTrainings


def slow_down_epochs(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """Let every epoch in this process wait for so long before it trains."""
    real = StackedTrainings.train_epoch

    def slowly(*arguments: object) -> object:
        time.sleep(seconds)
        return real(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(StackedTrainings, "train_epoch", slowly)
