"""docs/blocks.md tells of every block that there is, and truly."""

import re
from dataclasses import fields
from pathlib import Path

from models.blocks import BLOCKS
from models.hyperparameters import Hyperparameters

PAGE = Path(__file__).parents[2] / "docs" / "blocks.md"
ROW = re.compile(r"^\| `(?P<written>[^`]+)` \|[^|]+\|[^|]+\| (?P<settings>[^|]+) \|$", re.MULTILINE)


def test_the_table_lists_every_block_with_its_form_and_settings() -> None:
    listed = {row["written"]: set(row["settings"].split(", ")) for row in ROW.finditer(PAGE.read_text())}
    assert listed == {
        f"{block.name}(n)" if block.takes_layers else block.name: set(block.uses) for block in BLOCKS.values()
    }


def test_every_setting_of_a_block_is_a_hyperparameter() -> None:
    known = {field.name for field in fields(Hyperparameters)}
    assert {name for block in BLOCKS.values() for name in block.uses} <= known
