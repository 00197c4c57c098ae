"""Training that is slow, or waits, without the CPU time of long training."""

import threading
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


def hold_epochs(monkeypatch: pytest.MonkeyPatch, first: int) -> threading.Event:
    """Let trainings in this process wait for the returned event before epoch ``first``, from 0, and later ones."""
    real, event = StackedTrainings.train_epoch, threading.Event()

    def held(self: StackedTrainings, *arguments: object) -> object:
        if self.trainings[0].epoch >= first:
            assert event.wait(60), "no test let the training go on"
        return real(self, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(StackedTrainings, "train_epoch", held)
    return event
