"""docs/blocks.md describes every block correctly."""

import re
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import torch

from nlb_search.models.architecture.chain import Chain, Link
from nlb_search.models.architecture.heads import HEADS
from nlb_search.models.blocks import BLOCKS
from nlb_search.models.hyperparameters import Hyperparameters
from nlb_search.models.training.trainer import Trainer, ValScorer, fit
from nlb_search.models.training.training import Evaluation, Training
from nlb_search.models.training.training_plan import TrainingPlan
from tests.helpers.recordings.population import swinging

PAGE = Path(__file__).parents[3] / "docs" / "blocks.md"
ROW = re.compile(r"^\| `(?P<written>[^`]+)` \|[^|]+\|[^|]+\| (?P<settings>[^|]+) \|$", re.MULTILINE)


def test_blocks_table_lists_every_block() -> None:
    listed = {row["written"]: set(row["settings"].split(", ")) for row in ROW.finditer(PAGE.read_text())}
    assert listed == {
        f"{block.name}(n)" if block.takes_layers else block.name: set(block.uses) for block in BLOCKS.values()
    }


def test_example_block_trains_side_by_side_as_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    example = re.search(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert example is not None
    written: dict[str, Any] = {}
    exec(compile(example[1], "leaky.py", "exec"), written)  # noqa: S102 - our own page
    monkeypatch.setitem(BLOCKS, "Leaky", written["Leaky"])

    def make() -> list[Training]:
        chain, plan = (
            Chain((Link("Leaky", None), Link("FF", None)), HEADS["exp"]),
            TrainingPlan(epochs=3, batch_size=12),
        )
        train = swinging(24, seed=1)
        return [
            Training(chain, Hyperparameters(hidden=hidden, lr=0.02), plan, train, 0, torch.device("cpu"))
            for hidden in (4, 7)
        ]

    val = swinging(16, seed=2)
    expected = [list(fit(training, val)) for training in make()]
    trainer, ours = Trainer(ValScorer(val)), make()
    assert ours[0].kind == ours[1].kind
    for epoch in range(3):
        for evaluation, alone in zip(trainer.advance(ours), expected, strict=True):
            assert isinstance(evaluation, Evaluation)
            assert evaluation.co_bps == pytest.approx(alone[epoch].co_bps, abs=1e-4)


def test_block_settings_are_hyperparameters() -> None:
    known = {field.name for field in fields(Hyperparameters)}
    assert {name for block in BLOCKS.values() for name in block.uses} <= known
